"""Which class folder is which class."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.data.class_order import imagenet_order, imagenet_wnids, natural_key, order_folders, order_note
from edgevit.errors import UsageError


def test_numbers_in_names_count_as_numbers() -> None:
    assert sorted(map(str, range(12)), key=natural_key) == list(map(str, range(12)))
    names = ["class11", "class2", "class10", "class1"]
    assert sorted(names, key=natural_key) == ["class1", "class2", "class10", "class11"]
    assert sorted(["b", "B", "a", "é"], key=natural_key) == ["B", "a", "b", "é"]
    assert sorted(["01", "1", "0"], key=natural_key) == ["0", "01", "1"]


def test_imagenets_identifiers_are_its_classes() -> None:
    known = imagenet_wnids()
    assert len(known) == 1000 and list(known) == sorted(known)
    assert (known["n01440764"], known["n02123045"], known["n15075141"]) == (0, 281, 999)  # tench, tabby, toilet tissue
    order = imagenet_order(("n02123045", "n01440764"))
    assert order is not None and order.index == {"n02123045": 281, "n01440764": 0}
    assert imagenet_order(("n02123045", "cat")) is None
    assert imagenet_order(("n00000001",)) is None


def test_only_an_order_that_others_would_sort_differently_is_noted(tmp_path: Path) -> None:
    assert order_note(order_folders(tmp_path, ["b", "a"])) is None
    assert "class10 would come before class2" in (order_note(order_folders(tmp_path, ["class2", "class10"])) or "")
    (tmp_path / "classes.txt").write_text("class2\nclass10\n")
    assert order_note(order_folders(tmp_path, ["class2", "class10"])) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nb\n", "line 2: it is empty"),
        (b"a\nb\na\n", "line 3: 'a' is listed twice"),
        (b"a\nc\n", "lacks the class folder b"),
        (b"a\n\xff\n", "cannot read .*classes.txt"),
    ],
)
def test_a_bad_file_of_classes_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        order_folders(tmp_path, ["a", "b"])
    assert caught.value.hint
