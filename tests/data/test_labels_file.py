"""Files that name classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.data.labels_file import read_labels
from edgevit.errors import UsageError


def test_a_class_a_line_in_the_order_of_the_outputs(tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    file.write_text("\ufeffcrane\n maillot \ncrane\n\n", encoding="utf-8")  # ImageNet has two cranes
    assert read_labels(file, 3) == read_labels(file) == ("crane", "maillot", "crane")
    file.write_text("no\nyes\n")
    assert read_labels(file, 1) == ("no", "yes")  # a single logit


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\n", "names 2 classes, and the model has 3"),
        (b"a\n\nc\n", "line 2 is empty"),
        (b"a\nb\n\xff\n", "cannot read"),
        (b"", "names 0 classes"),
    ],
)
def test_what_names_other_classes_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_labels(file, 3)
    with pytest.raises(UsageError, match="no such file of class names"):
        read_labels(tmp_path / "nowhere.txt", 3)
