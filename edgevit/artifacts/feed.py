"""Feeds images to an artifact that is loaded, with numpy and its runtime alone: the same on a host and a board."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from edgevit.backends import Session
from edgevit.data.tiles import check_tiles
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, TensorSpec
from edgevit.spec.normalization import per_channel

_ROUNDING = 1e-3
"""Of pixels that were divided by 255 and by one over it."""


class HasPorts(Protocol):
    """What is known of a file that was loaded, such as a session."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """In their order."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """In their order."""


def run_once(session: Session, images: np.ndarray) -> np.ndarray:
    """Feeds float32 [1, channels, h, w] to a session, in the layout and number format that its input declares.

    Returns:
        float32 logits [1, classes]; of a model that is no classifier all values, one output after the other, see
        :mod:`edgevit.artifacts.outputs`. Integers are taken back to real values by the scale of their output.

    Raises:
        UsageError: the session does not take one image.
    """
    check_takes_image(session)
    given = session.run((to_input(session.inputs[0], images),))
    rows = [_real_values(out, values) for out, values in zip(session.outputs, given, strict=True)]
    return rows[0] if len(rows) == 1 else np.concatenate(rows, axis=1)


def _real_values(out: TensorSpec, stored: np.ndarray) -> np.ndarray:
    """One output as float32 [1, values]."""
    values = stored.astype(np.float32).reshape(1, -1)
    if out.scale is not None and out.zero_point is not None:
        values = (values - np.float32(out.zero_point)) * np.float32(out.scale)
    return values


def check_classifier(session: HasPorts) -> None:
    """Refuses a session that is not an image classifier.

    Raises:
        UsageError: several inputs or outputs, or the input is not one image, or the output no row.
    """
    if len(session.inputs) != 1 or len(session.outputs) != 1:
        raise UsageError(
            f"not a classifier: {len(session.inputs)} inputs and {len(session.outputs)} outputs, not one of each",
            "export a model that takes images and returns logits, and nothing else; or compare all its outputs with another"
            " file's: edgevit eval FILE --data IMAGES --reference FLOAT_FILE",
        )
    check_takes_image(session)
    if not has_one_row(session):
        out = session.outputs[0].shape
        raise UsageError(
            f"not a classifier: its output {list(out)} is not one row of logits",
            "export it with an output [1, classes]; or compare it with another file: edgevit eval FILE --data IMAGES --reference"
            " FLOAT_FILE",
        )


def check_takes_image(session: HasPorts) -> None:
    """Refuses a session whose input is not one RGB image; it may have any outputs.

    Raises:
        UsageError: it has several inputs, or one of another kind.
    """
    if len(session.inputs) != 1:
        raise UsageError(
            f"it has {len(session.inputs)} inputs, and edgevit feeds one, an image",
            "export a model that takes images and nothing else",
        )
    spec = session.inputs[0]
    if spec.layout not in ("NCHW", "NHWC") or spec.shape[0] != 1:
        raise UsageError(
            f"not a model of single images: its input is {spec.dtype} {list(spec.shape)}",
            "export it with an input [1, 3, h, w] or [1, h, w, 3]; 3 may be another number of channels",
        )


def has_one_row(session: HasPorts) -> bool:
    """Returns whether a session has one output, which is a row of values for one image, as logits are."""
    shapes = [spec.shape for spec in session.outputs]
    return len(shapes) == 1 and math.prod(shapes[0]) == max(shapes[0], default=0)


def class_count(session: HasPorts) -> int:
    """Returns the number of outputs of a classifier, see :func:`check_classifier`."""
    return math.prod(session.outputs[0].shape)


def image_size(spec: TensorSpec) -> tuple[int, int]:
    """Returns height and width in pixels of an image input."""
    height, width = spec.shape[2:] if spec.layout == "NCHW" else spec.shape[1:3]
    return height, width


def preprocessing_for(spec: TensorSpec, stated: Preprocessing) -> Preprocessing:
    """Returns the preprocessing for an image input: of its size, with a mean and standard deviation for each channel.

    Args:
        spec: The input, see :func:`check_classifier`.
        stated: Its mean and standard deviation may have one value for all channels; the input size is not used.

    Raises:
        UsageError: they are of another number of channels, or its tiles do not fit.
    """
    channels = spec.shape[1] if spec.layout == "NCHW" else spec.shape[3]
    try:
        mean, std = per_channel(stated.mean, channels, "mean"), per_channel(stated.std, channels, "std")
    except ValueError as error:
        raise UsageError(
            f"{error} (it is {list(spec.shape)})",
            "give --mean and --std, each with a number for every channel or one for all",
        ) from error
    contract = replace(stated, input_size=image_size(spec), mean=mean, std=std)
    check_tiles(contract)
    return contract


def to_input(spec: TensorSpec, images: np.ndarray) -> np.ndarray:
    """Brings float32 [1, channels, h, w], or pixels uint8 [1, h, w, channels], into the layout and number format of an input.

    Quantization rounds half to even after adding the zero point, and saturates: with a scale such as 1 / 127.5 every
    other pixel value lies half-way between two steps, so the order matters.

    An integer input without a scale takes integers as they are, such as pixels.

    Raises:
        UsageError: the sizes differ, or such an input would lose what the values have behind the point, or beyond its range.
    """
    if images.dtype == np.uint8:
        if spec.dtype == "uint8" and spec.shape == images.shape and spec.scale in (None, 1.0):
            return images
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32)
    arranged = images if spec.layout == "NCHW" else np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if arranged.shape != spec.shape:
        raise UsageError(
            f"the input is {list(spec.shape)}, the preprocessed image {list(arranged.shape)}", "set the input size"
        )
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return arranged.astype(dtype, copy=False)
    if dtype.kind not in "iu":
        raise UsageError(f"the input is {spec.dtype}, which is no image", "export it with a float32 input")
    limits = np.iinfo(dtype)
    if spec.scale is None or spec.zero_point is None:
        return _as_integers(arranged, dtype)
    quantized = np.rint(arranged / np.float32(spec.scale) + np.float32(spec.zero_point))
    return np.asarray(quantized.clip(limits.min, limits.max), dtype=dtype)


def _as_integers(values: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    limits, whole = np.iinfo(dtype), np.rint(values)
    if np.abs(values - whole).max() > _ROUNDING or whole.min() < limits.min or whole.max() > limits.max:
        raise UsageError(
            f"the input is {dtype} and the file states no scale for it: it takes integers, not normalized values",
            "if it takes pixels in 0..255 as they are, give --mean 0 --std 0.00392157",
        )
    return np.asarray(whole, dtype)
