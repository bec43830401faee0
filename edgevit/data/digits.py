"""The digits: scikit-learn's 1,797 handwritten 8 x 8 images as 32 x 32 RGB, in three fixed splits.

Source: "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998;
the copy inside scikit-learn is the test file of that set. Its 13 writers occur in all three splits, so a test score is
for writers seen in training, not for new ones.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from edgevit.errors import unknown_name

SPLITS: Final = {"train": 1097, "calibration": 200, "test": 500}
"""Number of images of each split; together all 1,797."""

CLASSES: Final = 10
IMAGE_SIDE: Final = 32  # pixels
_LEVELS: Final = 16  # the source counts set bits in 4 x 4 blocks: integers 0..16
_SPLIT_SEED: Final = 0


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
    pixels, labels = _source()
    indices = _split_indices()[name]
    return DigitsSplit(
        images=np.stack([_upscale(pixels[index]) for index in indices]),
        labels=labels[indices],
        ids=[f"digits-{index:04d}" for index in indices],
    )


@functools.cache
def _source() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The source file: pixels float64 [1797, 8, 8], 0..16, and labels int64 [1797]."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    bunch = load_digits()
    return bunch.images, bunch.target.astype(np.int64)


@functools.cache
def _split_indices() -> dict[str, npt.NDArray[np.int64]]:
    """Indices of each split, int64, ascending: test is drawn first, then calibration, each stratified by digit."""
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    _, labels = _source()
    rest, test = train_test_split(
        np.arange(len(labels)), test_size=SPLITS["test"], stratify=labels, random_state=_SPLIT_SEED
    )
    train, calibration = train_test_split(
        rest, test_size=SPLITS["calibration"], stratify=labels[rest], random_state=_SPLIT_SEED
    )
    return {"train": np.sort(train), "calibration": np.sort(calibration), "test": np.sort(test)}


def _upscale(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Returns one source image float64 [8, 8], 0..16, as uint8 [32, 32, 3], resized by Pillow's bicubic filter."""
    from PIL import Image

    grey = np.round(pixels * (255 / _LEVELS)).astype(np.uint8)
    large = Image.fromarray(grey).resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(large.convert("RGB"), dtype=np.uint8)
