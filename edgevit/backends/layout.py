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
    """Returns "NCHW" or "NHWC" for a batch of images, "NC" for rows, "" otherwise.

    One or three channels are told by their number: a shape such as [1, 3, 64, 3] fits both, and is read as NCHW. Any other
    number is told by square images, [1, 4, 64, 64], or by the shortest of the axes.
    """
    if len(shape) != 4:
        return "NC" if len(shape) == 2 else ""
    _, first, middle, last = shape
    if first in (1, 3) or last in (1, 3):
        return "NCHW" if first in (1, 3) else "NHWC"
    if (first == middle) != (middle == last):
        return "NHWC" if first == middle else "NCHW"
    if first < min(middle, last):
        return "NCHW"
    return "NHWC" if last < min(first, middle) else ""
