"""Shapes of tensors for a number of images, and the layout of their axes, guessed from the shape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgevit.errors import UsageError


def fixed_shape(lengths: Sequence[int | None], name: str, path: Path, batch: int = 1) -> tuple[int, ...]:
    """Returns a shape for a number of images: an open batch axis gets it, a fixed one stays.

    Args:
        lengths: Length of every axis; None where the file leaves it open.
        name: Name of the tensor, for the message.
        path: Path of the file, for the message.
        batch: Images.

    Raises:
        UsageError: an axis other than the first is open.
    """
    if any(length is None for length in lengths[1:]):
        axes = ", ".join("?" if length is None else str(length) for length in lengths)
        raise UsageError(f"{path}: {name or 'a tensor'} has open axes: [{axes}]", "export it with a fixed image size")
    return tuple(batch if length is None else length for length in lengths)


def guess_layout(shape: tuple[int, ...]) -> str:
    """Returns "NCHW" or "NHWC" for a batch of RGB or grey images, "NC" for rows, "" otherwise.

    A shape such as [1, 3, 64, 3] fits both; it is read as NCHW.
    """
    if len(shape) == 4 and shape[1] in (1, 3):
        return "NCHW"
    if len(shape) == 4 and shape[3] in (1, 3):
        return "NHWC"
    return "NC" if len(shape) == 2 else ""
