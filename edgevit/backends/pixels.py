"""How the pixels of an image are normalized in a graph: the same arithmetic in every format."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from edgevit.errors import UsageError

_LEVELS = 255


def offset_and_divisor(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns what is subtracted from pixels in 0..255, and what the difference is divided by.

    A division, not a product with the reciprocal: where 255 times the mean is a number of float32, the outcome is then what
    :func:`edgevit.data.normalize.normalized_levels` gives, bit for bit; else it differs by rounding.

    Args:
        mean: Of each channel, for pixels in 0..1.
        std: Of each channel, likewise.

    Returns:
        Two arrays, float32 [channels].
    """
    offset, divisor = (_LEVELS * np.asarray(values, np.float64) for values in (mean, std))
    return offset.astype(np.float32), divisor.astype(np.float32)


def free_name(wanted: str, taken: Collection[str]) -> str:
    """Returns a name that is not taken: the one that is wanted, if need be with underscores."""
    while wanted in taken:
        wanted += "_"
    return wanted


def no_float_image(path: Path) -> UsageError:
    """Returns the error for a file that normalization cannot be put before."""
    return UsageError(
        f"{path} does not take one float32 image, so its preprocessing cannot be embedded",
        "leave out --embed-preprocessing",
    )
