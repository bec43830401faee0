"""Writes edgevit/data/digits.npz: scikit-learn's digits with the split of each, so that reading them needs NumPy and Pillow only.

    python -m benchmarks.make_digits

Needs scikit-learn. The file is committed, so this runs only to check that it can be made again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgevit.data.digits import ARRAYS, SPLITS

_SPLIT_SEED = 0


def split_of_each(labels: np.ndarray) -> np.ndarray:
    """Returns the split of each image, uint8 [n], as its place in ``SPLITS``.

    Test is drawn first, then calibration, each stratified by digit.

    Args:
        labels: int [n], the digits.
    """
    from sklearn.model_selection import train_test_split  # type: ignore[import-untyped]

    rest, test = train_test_split(
        np.arange(len(labels)), test_size=SPLITS["test"], stratify=labels, random_state=_SPLIT_SEED
    )
    train, calibration = train_test_split(
        rest, test_size=SPLITS["calibration"], stratify=labels[rest], random_state=_SPLIT_SEED
    )
    splits = np.zeros(len(labels), np.uint8)
    for name, indices in (("train", train), ("calibration", calibration), ("test", test)):
        splits[indices] = list(SPLITS).index(name)
    return splits


def write(path: Path) -> None:
    """Writes the arrays: ``pixels`` uint8 [1797, 8, 8] in 0..16, ``labels`` uint8 [1797], ``splits`` uint8 [1797]."""
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    source = load_digits()
    pixels = source.images.astype(np.uint8)
    if not np.array_equal(pixels, source.images):
        raise ValueError("the source has pixels that are no integers")
    splits = split_of_each(source.target)
    np.savez_compressed(path, pixels=pixels, labels=source.target.astype(np.uint8), splits=splits)


if __name__ == "__main__":
    write(ARRAYS)
