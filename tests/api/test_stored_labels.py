"""Names of classes in memory become a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.api.stored_labels import labels_file
from edgevit.data.labels_file import read_labels
from edgevit.errors import UsageError


def test_names_are_written_once_and_read_back(tmp_path: Path) -> None:
    names = ("daisy", 'a "rose"', "tülip")
    file = Path(labels_file(names, tmp_path / "inputs"))
    assert read_labels(file, 3) == names
    assert labels_file(list(names), tmp_path / "inputs") == str(file)
    assert labels_file(("other", "names"), tmp_path / "inputs") != str(file)


def test_a_file_is_taken_as_it_is(tmp_path: Path) -> None:
    assert labels_file(tmp_path / "labels.txt", tmp_path / "inputs") == str(tmp_path / "labels.txt")
    assert not (tmp_path / "inputs").exists()


@pytest.mark.parametrize("name", ["", " ", "a\nb", 3])
def test_what_is_no_line_is_refused(name: object, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="label 1 is"):
        labels_file(["a", name], tmp_path)  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == []
