"""The three parts of the digits, against what is known of scikit-learn's file, and against that file where it is installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from edgevit.data.digits import ARRAYS, CLASSES, SPLITS, load_split
from edgevit.errors import UsageError


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


def test_the_arrays_are_those_of_scikit_learn_split_as_ever() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    from benchmarks.make_digits import split_of_each

    source = datasets.load_digits()
    with np.load(ARRAYS) as arrays:
        np.testing.assert_array_equal(arrays["pixels"], source.images)
        np.testing.assert_array_equal(arrays["labels"], source.target)
        np.testing.assert_array_equal(arrays["splits"], split_of_each(source.target))


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("train", "d2d6c3b96bd0c4f333a692feac6e1f2a69d3482644cd684b9c4eb33a7a3c0803"),
        ("calibration", "4545c7e2cad0bdf65157dc6c1bceea09baeec2e09c3ab0dce48da1d8765f4550"),
        ("test", "b713d62a0df9f7a214df296f243ba289691bb592a0cf1263b59df6919bac87eb"),
    ],
)
def test_images_are_those_that_edgevit_always_made_of_scikit_learns(name: str, sha256: str) -> None:
    assert hashlib.sha256(load_split(name).images.tobytes()).hexdigest() == sha256


def test_the_licence_lies_beside_the_arrays() -> None:
    terms = ARRAYS.with_suffix(".LICENSE").read_text(encoding="utf-8")
    assert "10.24432/C50P49" in terms
    assert "CC BY 4.0" in terms
    assert "BSD 3-Clause" in terms


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


def test_reading_them_loads_neither_torch_nor_sklearn() -> None:
    code = (
        "import sys; from edgevit.data.digits import load_split; load_split('test');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
