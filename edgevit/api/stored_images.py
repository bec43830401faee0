"""Images given in memory, written once as an archive that any process can open."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgevit.data.image_arrays import write_arrays
from edgevit.data.preprocess import to_rgb
from edgevit.errors import UsageError

Images = str | Path | np.ndarray | tuple[Any, Any] | Iterable[Any]
"""A source as on the command line; an array uint8 [n, h, w, 3], alone or as the first of a pair with labels [n]; or a torch
``Dataset`` or ``DataLoader`` or anything else that yields images or pairs (image, label). An image is a Pillow image,
uint8 [h, w, 3] or [h, w], or a tensor [3, h, w] of pixels in 0..255 or 0..1, not normalized; 3 may be another number of channels.
For a model that takes arrays (``Preprocessing.input`` "array") it is a float array [h, w, channels], or a tensor [channels, h, w]
of floats, as it is."""

Label = int | float | tuple[bool, ...]
"""Class index of an image, a number, or whether it has each class."""

_HINT = "give uint8 [h, w, 3], a Pillow image, or a tensor [3, h, w] in 0..1 without Normalize: edgevit normalizes"
_STEP_OF_8_BITS = 1e-3
"""By which 255 times a pixel in 0..1 may differ from an integer."""


def image_source(images: Images, purpose: str, folder: Path, *, as_they_are: bool = False) -> str:
    """Returns the source to name in a spec, after writing what is in memory.

    Args:
        images: See :data:`Images`.
        purpose: Such as "calibration"; begins the name of the file.
        folder: Where to write; equal images are written once.
        as_they_are: The model takes arrays: floats are written as they are, and nothing else is taken.

    Raises:
        UsageError: there are none, or one is no 8-bit image, or no float array for a model that takes arrays, or they differ in
            their channels, or only some have labels.
        DiskFull: there is no space left.
    """
    if isinstance(images, str | Path):
        return str(images)
    pixels, labels = _collect(images, purpose, _as_floats if as_they_are else _pixels)
    digest = hashlib.sha256(repr((labels, [image.shape for image in pixels])).encode())
    for image in pixels:
        digest.update(np.ascontiguousarray(image).data)
    path = folder / f"{purpose}-{digest.hexdigest()[:16]}.npz"
    if not path.is_file():
        write_arrays(path, pixels, None if labels is None else _label_array(labels, purpose))
    return str(path)


_Reader = Callable[[Any, str], np.ndarray]
"""From an image and what it is called to [h, w, channels]."""


def _collect(images: Any, purpose: str, read: _Reader) -> tuple[list[np.ndarray], list[Label] | None]:
    pixels, labels = [], list[Label | None]()
    for place, (image, label) in enumerate(_pairs(images, purpose, read)):
        where = f"{purpose} image {place}"
        pixels.append(read(image, where))
        labels.append(None if label is None else _label(label, where))
    if not pixels:
        raise UsageError(f"there are no {purpose} images", "give at least one")
    channels = sorted({image.shape[2] for image in pixels})
    if len(channels) > 1:
        raise UsageError(
            f"{purpose} images have {' and '.join(map(str, channels))} channels", "give images of equally many channels"
        )
    known = [label for label in labels if label is not None]
    if known and len(known) < len(labels):
        raise UsageError(
            f"only {len(known)} of {len(labels)} {purpose} images have a label", "give all or none a label"
        )
    return pixels, known or None


def _pairs(images: Any, purpose: str, read: _Reader) -> Iterator[tuple[Any, Any]]:
    """Yields every image with its label, or None."""
    if _is_from_torch(images, "DataLoader"):
        batches = images.batch_size is not None or images.batch_sampler is not None
        for item in images:
            image, label = _pair(item)
            if batches:
                yield from zip(image, [None] * len(image) if label is None else label, strict=True)
            else:
                yield image, label
    elif isinstance(images, np.ndarray) or (isinstance(images, tuple) and len(images) == 2 and _is_batch(images[0])):
        array, labels = images if isinstance(images, tuple) else (images, None)
        if labels is not None and len(labels) != len(array):
            raise UsageError(f"{len(array)} {purpose} images have {len(labels)} labels", "give one for each")
        yield from zip(array, [None] * len(array) if labels is None else labels, strict=True)
    elif hasattr(images, "__getitem__") and hasattr(images, "__len__"):  # a torch Dataset need not end when iterated
        _refuse_augmentation(images, purpose, read)
        yield from (_pair(images[place]) for place in range(len(images)))
    elif isinstance(images, Iterable):
        yield from map(_pair, images)
    else:
        raise UsageError(
            f"the {purpose} images are a {type(images).__name__}", "give a path, an array, a Dataset or an iterable"
        )


def _is_from_torch(value: Any, name: str) -> bool:
    data = sys.modules.get("torch.utils.data")  # who has none of its objects need not load it
    return data is not None and isinstance(value, getattr(data, name))


def _is_batch(value: Any) -> bool:
    if not isinstance(value, np.ndarray):
        return False
    return (value.ndim in (3, 4) and value.dtype == np.uint8) or (value.ndim == 4 and value.dtype.kind == "f")


def _pair(item: Any) -> tuple[Any, Any]:
    return (item[0], item[1]) if isinstance(item, tuple | list) and len(item) == 2 else (item, None)


def _refuse_augmentation(images: Any, purpose: str, read: _Reader) -> None:
    """Reads the first image twice: a random view of it would be another one."""
    if len(images):
        first, again = (read(_pair(images[0])[0], f"{purpose} image 0") for _ in range(2))
        if first.shape != again.shape or (first != again).any():
            raise UsageError(
                f"image 0 of the {purpose} data set is another one each time it is read",
                "leave random augmentation out of its transform",
            )


def _pixels(image: Any, where: str) -> np.ndarray:
    """Returns uint8 [h, w, channels]; grey is repeated."""
    if isinstance(image, Image.Image):
        return np.asarray(to_rgb(image))
    if hasattr(image, "detach"):
        image = _from_tensor(image)
    if not isinstance(image, np.ndarray):
        raise UsageError(f"{where} is a {type(image).__name__}", _HINT)
    if image.dtype.kind == "f":
        image = _eight_bits(image, where)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, axis=2)
    if image.dtype != np.uint8 or image.ndim != 3 or not image.size:
        raise UsageError(f"{where} is {image.dtype} {list(image.shape)}", _HINT)
    return np.asarray(image)


def _as_floats(image: Any, where: str) -> np.ndarray:
    """Returns float32 [h, w, channels] of an array that is taken as it is."""
    values = _from_tensor(image) if hasattr(image, "detach") else image
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.ndim not in (2, 3) or not values.size:
        found = f"{values.dtype} {list(values.shape)}" if isinstance(values, np.ndarray) else type(image).__name__
        raise UsageError(
            f"{where} is {found}, and the model takes arrays as they are",
            "give float32 [h, w, channels], or a tensor [channels, h, w] of floats",
        )
    if not np.isfinite(values).all():
        raise UsageError(f"{where} holds NaN or infinity", "give finite values")
    return (values if values.ndim == 3 else values[..., None]).astype(np.float32, copy=False)


def _from_tensor(image: Any) -> np.ndarray:
    """A torch tensor as an array, its channels last: they are first in torch, unless the shape says otherwise."""
    values: np.ndarray = image.detach().cpu().numpy()
    is_last = values.ndim == 3 and values.shape[2] in (1, 3) and values.shape[0] not in (1, 3)
    return values.transpose(1, 2, 0) if values.ndim == 3 and not is_last else values


def _eight_bits(image: np.ndarray, where: str) -> np.ndarray:
    """Pixels in 0..1 as they were before they were divided by 255."""
    if not np.isfinite(image).all() or image.min() < 0 or image.max() > 1:
        raise UsageError(f"{where} has values from {image.min():g} to {image.max():g}: it is normalized already", _HINT)
    scaled = image.astype(np.float64) * 255
    if abs(scaled - scaled.round()).max() > _STEP_OF_8_BITS:
        raise UsageError(f"{where} holds values that are no multiples of 1/255", _HINT)
    return scaled.round().astype(np.uint8)


def _label(label: Any, where: str) -> Label:
    array = np.asarray(label.detach().cpu() if hasattr(label, "detach") else label)
    if array.ndim == 1 and array.size and array.dtype.kind in "biuf" and np.isin(array, (0, 1)).all():
        return tuple(bool(each) for each in array)
    value = array.item() if array.size == 1 and not array.ndim else label
    is_number = isinstance(value, float) and math.isfinite(value)
    if not is_number and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise UsageError(
            f"the label of {where} is {value!r}",
            "give the index of its class, 0 or more; a number as a float; or 0 and 1 for each class",
        )
    return float(value) if is_number else int(value)


def _label_array(labels: list[Label], purpose: str) -> np.ndarray:
    """int64 [n], float64 [n] or bool [n, classes]."""
    kinds = {(type(label), len(label) if isinstance(label, tuple) else 0) for label in labels}
    if len(kinds) > 1:
        raise UsageError(
            f"the labels of the {purpose} images are of several kinds", "give all as integers, or as floats"
        )
    return np.array(labels, {int: np.int64, float: np.float64}.get(type(labels[0]), np.bool_))
