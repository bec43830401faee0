"""Which images flipped, and whether that shows a difference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.accuracy import read_answers, write_top1
from edgevit.commands.compare_accuracy import (
    ImageAnswer,
    accuracy_change,
    mcnemar_exact,
    read_stored_answers,
    why_not_the_same_images,
)
from edgevit.errors import UsageError
from edgevit.results.changes import Flip


def answers(*tops: int, labels: tuple[int | None, ...] | None = None) -> tuple[ImageAnswer, ...]:
    given = labels or (0,) * len(tops)
    return tuple(ImageAnswer(f"{place}.png", given[place], top) for place, top in enumerate(tops))


def test_flips_are_named_and_counted_by_who_is_right() -> None:
    found = accuracy_change("photos", answers(0, 0, 1, 2, 0), answers(0, 1, 0, 1, 1))
    assert (found.top1_before, found.top1_after) == (0.6, 0.4)
    assert found.drop_points == pytest.approx(20)
    assert (found.only_before, found.only_after) == (2, 1)
    assert found.flips[0] == Flip("1.png", 0, 0, 1) and len(found.flips) == 4
    assert found.drop_interval is not None and found.drop_interval.contains(20)


def test_the_order_of_the_images_does_not_matter() -> None:
    before, after = answers(0, 0, 1, 2), answers(0, 1, 0, 1)
    assert accuracy_change("photos", before, after) == accuracy_change("photos", before, after[::-1])


def test_the_same_answers_show_nothing() -> None:
    found = accuracy_change("photos", answers(0, 1, 0), answers(0, 1, 0))
    assert (found.drop_points, found.p_value, found.flips) == (0, 1.0, ())


def test_without_labels_only_flips_are_known() -> None:
    found = accuracy_change("photos", answers(0, 1, labels=(None, None)), answers(0, 2, labels=(None, None)))
    assert (found.top1_before, found.drop_points, found.p_value, len(found.flips)) == (None, None, None, 1)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [(0, 0, 1.0), (5, 0, 2 / 32), (0, 5, 2 / 32), (3, 3, 1.0), (1, 9, 2 * 11 / 1024), (121, 59, 4.434e-06)],
)
def test_mcnemars_exact_test(first: int, second: int, value: float) -> None:
    """The last row is the table of Agresti's approval ratings turned exact: 2 P(X <= 59), X binomial(180, 1/2)."""
    from math import comb

    exact = min(1.0, 2 * sum(comb(first + second, k) for k in range(min(first, second) + 1)) / 2 ** (first + second))
    assert mcnemar_exact(first, second) == pytest.approx(exact, rel=1e-9)
    assert exact == pytest.approx(value, rel=0.1)


def test_what_a_run_stored_is_read_back(tmp_path: Path) -> None:
    logits = np.eye(3, dtype=np.float32)[[0, 2]]
    write_top1(tmp_path / "top1.csv", ("a,b.png", 'q"\n.png'), read_answers(logits, (0, 1)))
    assert read_stored_answers(tmp_path, "top1.csv") == (ImageAnswer("a,b.png", 0, 0), ImageAnswer('q"\n.png', 1, 2))
    write_top1(tmp_path / "plain.csv", ("a", "b"), read_answers(logits, None))
    assert read_stored_answers(tmp_path, "plain.csv")[0].label is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "its columns are not"),
        (b"id,top1\n", "its columns are not"),
        (b"id,label,top1,probability\na,0\n", "a row has 2 values"),
        (b"id,label,top1,probability\na,0,x,1\n", "invalid literal"),
        (b"\xff\xfe", "does not hold the answers"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "top1.csv").write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_stored_answers(tmp_path, "top1.csv")


@pytest.mark.parametrize(("name", "message"), [("gone.csv", "cannot read"), ("../top1.csv", "outside the run folder")])
def test_a_file_that_is_not_there_or_elsewhere(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_stored_answers(tmp_path, name)


def test_other_images_or_labels_are_told() -> None:
    assert why_not_the_same_images(answers(0, 1), answers(1, 1)[::-1]) is None
    assert (
        why_not_the_same_images(answers(0, 1), answers(0)) == "the images differ: 2 and 1, of which 1 are of one name"
    )
    assert why_not_the_same_images(answers(0, 1), answers(0, 1, labels=(0, 3))) == "the labels of 1 of 2 images differ"
    assert why_not_the_same_images((), answers(0)) == "there are no images"
