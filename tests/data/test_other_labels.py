"""Labels that are not one class: numbers, and several classes for one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.data.images import open_images, order_sha256
from edgevit.data.other_labels import as_array, read_label_array
from edgevit.data.output_labels import check_classes, match_labels
from edgevit.errors import UsageError
from tests.data.pictures import save


def test_numbers_and_sets_of_classes_are_arrays_for_metrics() -> None:
    assert as_array((0.5, 2.0), 4).tolist() == [0.5, 2.0]
    found = as_array(((0, 2), (), (1,)), 4)
    assert found.dtype == bool
    assert found.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert as_array(((0, 2), ()), 0).shape == (2, 3)


def test_an_array_tells_its_kind() -> None:
    assert read_label_array(np.array([3, 0]), 2, "a.npz") == ((3, 0), None)
    assert read_label_array(np.array([3.0, 0.5]), 2, "a.npz") == (None, (3.0, 0.5))
    assert read_label_array(np.array([[1, 0, 1], [0, 0, 0]]), 2, "a.npz") == (None, ((0, 2), ()))
    assert read_label_array(np.array([[True], [False]]), 2, "a.npz") == (None, ((0,), ()))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([-1, 0]), "with negative numbers"),
        (np.array([np.nan, 0]), "hold NaN or infinity"),
        (np.array([[0, 2], [1, 0]]), "must be 2 integers"),
        (np.array([[0.5, 1], [1, 0]]), "must be 2 integers"),
        (np.array([1, 2, 3]), "must be 2 integers"),
        (np.zeros((2, 0), int), "must be 2 integers"),
        (np.array(["a", "b"]), "must be 2 integers"),
    ],
)
def test_an_array_of_another_kind_is_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_label_array(labels, 2, "a.npz")


def _folder(folder: Path, table: str) -> str:
    for name in ("a", "b", "c"):
        save(folder / f"{name}.png", ord(name))
    (folder / "labels.csv").write_text(table)
    return str(folder)


def test_a_folder_may_have_numbers(tmp_path: Path) -> None:
    images = open_images(_folder(tmp_path, "file,value\na.png,1.5\nb.png,-2\nc.png,1e3\n"))
    assert images.labels is None
    assert images.targets is not None
    assert images.targets.tolist() == [1.5, -2, 1000]
    chosen = images.select(("c.png", "a.png"))
    assert chosen.targets is not None
    assert chosen.targets.tolist() == [1000, 1.5]
    assert match_labels(images, 1, None).other_labels == (1.5, -2, 1000)
    before = order_sha256(images)
    (tmp_path / "labels.csv").write_text("file,value\na.png,1.5\nb.png,-2\nc.png,1e4\n")
    assert order_sha256(open_images(str(tmp_path))) != before


def test_a_folder_may_have_several_classes_for_an_image(tmp_path: Path) -> None:
    images = open_images(_folder(tmp_path, "file;class_indices\na.png;0 2\nb.png;\nc.png;2\n"))
    assert images.other_labels == ((0, 2), (), (2,))
    matched = match_labels(images, 5, 1)
    assert matched.targets is not None
    assert matched.targets.shape == (3, 5)
    assert matched.other_labels == ((1, 3), (), (3,))
    with pytest.raises(UsageError, match="label 2 is outside the model's 2 classes"):
        match_labels(images, 2, None)


def test_top1_cannot_judge_by_them(tmp_path: Path) -> None:
    images = open_images(_folder(tmp_path, "file,value\na.png,1.5\nb.png,-2\nc.png,1e3\n"))
    with pytest.raises(UsageError, match="are numbers, which top-1 cannot judge by") as caught:
        check_classes(images)
    assert "--metric value" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file,value\na.png,1,5\nb.png,x\n", "line 3: value 'x' is not a finite number"),
        ("file,value\na.png,inf\n", "line 2: value 'inf' is not a finite number"),
        ("file,class_indices\na.png,0 -1\n", "line 2: class_indices '0 -1' are not integers"),
        ("file,values\na.png,1\n", "lacks the column class_index"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_images(_folder(tmp_path, table))
