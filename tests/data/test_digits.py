"""The three parts of the digits, against what is known of scikit-learn's file."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from edgevit.data.digits import CLASSES, SPLITS, load_split
from edgevit.errors import UsageError

pytest.importorskip("sklearn")


@pytest.mark.parametrize(
    ("name", "count", "per_digit", "first"),
    [
        (
            "train",
            1097,
            [108, 111, 108, 112, 111, 111, 111, 109, 106, 110],
            {"digits-0000": 0, "digits-0001": 1},
        ),
        ("calibration", 200, [20] * 10, {"digits-0002": 2, "digits-0011": 1}),
        ("test", 500, [50, 51, 49, 51, 50, 51, 50, 50, 48, 50], {"digits-0010": 0, "digits-0021": 1}),
    ],
)
def test_each_part_is_the_known_one(name: str, count: int, per_digit: list[int], first: dict[str, int]) -> None:
    part = load_split(name)
    assert SPLITS[name] == count
    assert part.images.shape == (count, 32, 32, 3)
    assert part.images.dtype == np.uint8
    assert part.labels.shape == (count,)
    assert part.labels.dtype == np.int64
    assert len(part.ids) == count
    assert np.bincount(part.labels, minlength=CLASSES).tolist() == per_digit
    assert dict(zip(part.ids[:2], part.labels[:2].tolist(), strict=True)) == first


def test_parts_share_no_image_and_together_are_all() -> None:
    ids = [identity for name in SPLITS for identity in load_split(name).ids]
    assert sorted(ids) == [f"digits-{index:04d}" for index in range(1797)]


def test_ids_name_the_source_image() -> None:
    from sklearn.datasets import load_digits  # type: ignore[import-untyped]

    source = load_digits()
    part = load_split("test")
    for row in (0, 250, 499):
        index = int(part.ids[row].removeprefix("digits-"))
        assert part.labels[row] == source.target[index]
        small = part.images[row, ..., 0].reshape(8, 4, 8, 4).mean(axis=(1, 3)) / 255 * 16
        assert np.corrcoef(small.ravel(), source.images[index].ravel())[0, 1] > 0.98


def test_images_are_grey_from_paper_to_ink_and_the_same_each_time() -> None:
    images = load_split("calibration").images
    assert images.min() == 0
    assert images.max() == 255
    assert (images == images[..., :1]).all()
    again = load_split("calibration").images
    assert hashlib.sha256(images.tobytes()).digest() == hashlib.sha256(again.tobytes()).digest()
    again[:] = 0  # a caller may change its arrays
    assert (load_split("calibration").images == images).all()


def test_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="tset") as caught:
        load_split("tset")
    assert caught.value.hint is not None
    assert "did you mean test" in caught.value.hint


def test_importing_the_module_loads_neither_torch_nor_sklearn() -> None:
    code = "import sys, edgevit.data.digits; sys.exit(any(name in sys.modules for name in ('torch', 'sklearn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
