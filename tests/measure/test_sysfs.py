"""Small files as text and numbers, and lists of CPUs as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.measure.sysfs import integer, matches, number_of, parse_list, show_list, text_of


def test_white_space_and_nul_around_a_text_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 4 Model B\0\n")
    assert text_of(tmp_path / "model") == "Raspberry Pi 4 Model B"


def test_what_cannot_be_read_is_nothing(tmp_path: Path) -> None:
    assert (text_of(tmp_path), text_of(tmp_path / "none"), number_of(tmp_path), number_of(tmp_path / "none")) == (
        "", "", None, None,
    )  # fmt: skip
    assert matches(tmp_path / "none", "sys/class/*") == []


@pytest.mark.parametrize(("text", "value"), [("12", 12), ("-1", -1), ("", None), ("<unknown>", None), ("1.5", None)])
def test_a_number(text: str, value: int | None) -> None:
    assert integer(text) == value


def test_files_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 4, 10, 11):
        (tmp_path / f"policy{number}").mkdir()
    assert [path.name for path in matches(tmp_path, "policy*")] == ["policy0", "policy4", "policy10", "policy11"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0-3", {0, 1, 2, 3}), ("0-1,4", {0, 1, 4}), ("0 1 2 3", {0, 1, 2, 3}), ("7", {7}), ("", set()), ("x-y", set())],
)
def test_a_list_of_the_kernels(text: str, numbers: set[int]) -> None:
    assert parse_list(text) == numbers


@given(st.frozensets(st.integers(0, 300)))
def test_a_list_comes_back(numbers: frozenset[int]) -> None:
    assert parse_list(show_list(numbers)) == numbers
