"""The digits: scikit-learn's 1,797 handwritten 8 x 8 images as 32 x 32 RGB, in three fixed splits.

Source: "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998;
the copy inside scikit-learn is the test file of that set. ``digits.npz`` has its pixels, labels and splits, and
``digits.LICENSE`` the terms; ``benchmarks/make_digits.py`` writes the former. Its 13 writers occur in all three splits, so a test score is
for writers seen in training, not for new ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from edgevit.errors import unknown_name

SPLITS: Final = {"train": 1097, "calibration": 200, "test": 500}
"""Number of images of each split; together all 1,797."""

CLASSES: Final = 10
IMAGE_SIDE: Final = 32  # pixels
ARRAYS: Final = Path(__file__).with_name("digits.npz")
"""``pixels`` uint8 [1797, 8, 8], 0..16, ``labels`` uint8 [1797], and ``splits`` uint8 [1797], places in ``SPLITS``."""
_LEVELS: Final = 16  # the source counts set bits in 4 x 4 blocks: integers 0..16


@dataclass(frozen=True)
class DigitsSplit:
    """One split of the digits, in the order of the source file.

    Attributes:
        images: uint8 [n, 32, 32, 3], RGB with three equal channels, 0 (paper) to 255 (ink).
        labels: int64 [n], the digit, 0..9.
        ids: n names such as "digits-0042"; the number is the image's index in ``load_digits()``.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    ids: list[str]


def load_split(name: str) -> DigitsSplit:
    """Loads one split of the digits; the same images every time and on every machine.

    Args:
        name: "train" (1,097 images), "calibration" (200) or "test" (500). The splits are disjoint and stratified: each
            has the same share of each digit, to within one image.

    Returns:
        The split, as new arrays that the caller may change.

    Raises:
        UsageError: the name is none of the three.
    """
    if name not in SPLITS:
        raise unknown_name("digits split", name, SPLITS)
    arrays = _arrays()
    indices = np.flatnonzero(arrays["splits"] == list(SPLITS).index(name))
    return DigitsSplit(
        images=np.stack([_upscale(arrays["pixels"][index]) for index in indices]),
        labels=arrays["labels"][indices].astype(np.int64),
        ids=[f"digits-{index:04d}" for index in indices],
    )


@functools.cache
def _arrays() -> dict[str, npt.NDArray[np.uint8]]:
    with np.load(ARRAYS) as archive:
        return dict(archive)


def _upscale(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Returns one source image uint8 [8, 8], 0..16, as uint8 [32, 32, 3], resized by Pillow's bicubic filter."""
    from PIL import Image

    grey = np.round(pixels * (255 / _LEVELS)).astype(np.uint8)
    large = Image.fromarray(grey).resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(large.convert("RGB"), dtype=np.uint8)
