"""Scoring logits: known answers, calibration error, what flipped, and the file of each image's answer."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgevit.artifacts.accuracy import agreement, expected_calibration_error, read_answers, score, write_top1
from edgevit.data import row_file
from edgevit.results.candidate import Accuracy, ChangedClass
from edgevit.results.measurement import Interval
from edgevit.results.proportions import PairedCounts, paired_difference_interval, proportion_interval


def test_top1_and_top5_known_answer() -> None:
    logits = np.array([[9, 8, 7, 6, 5, 4], [9, 8, 7, 6, 5, 4], [9, 8, 7, 6, 5, 4], [0, 1, 2, 3, 4, 5]], np.float32)
    found = score(logits, (0, 4, 5, 0), None)
    assert (found.top1, found.top5, found.samples) == (0.25, 0.5, 4)
    assert (found.drop_points, found.drop_interval) == (None, None)
    assert found.top1_interval == proportion_interval(1, 4)


def test_without_labels_there_is_no_accuracy() -> None:
    found = score(np.zeros((3, 10)), None, read_answers(np.zeros((3, 10)), None))
    assert found == Accuracy(None, None, 3, None)


def test_top5_says_nothing_of_five_classes() -> None:
    assert score(np.eye(5), (0, 1, 2, 3, 4), None).top5 is None
    assert score(np.eye(6), (0, 1, 2, 3, 4, 5), None).top5 == 1.0


def test_ties_go_to_the_lower_class_as_in_argmax() -> None:
    logits = np.array([[1.0, 1.0, 0.0]])
    assert score(logits, (0,), None).top1 == 1.0
    assert score(logits, (1,), None).top1 == 0.0


def test_a_dead_model_knows_nothing() -> None:
    """All logits equal: ten classes, one hit in ten, not ten in ten."""
    found = score(np.zeros((10, 10)), tuple(range(10)), None)
    assert (found.top1, found.top5) == (0.1, 0.5)
    assert found.ece == pytest.approx(0.0)  # it says so: 10 % confidence


@pytest.mark.parametrize("bad", [(0,), (1,), (0, 1, 2, 3, 4, 5, 6)])
def test_nan_is_never_a_hit(bad: tuple[int, ...]) -> None:
    logits = np.zeros((1, 7))
    logits[0, 0] = 1.0
    logits[0, list(bad)] = np.nan
    found = score(logits, (0,), None)
    assert (found.top1, found.top5, found.ece) == (0.0, 0.0, None)


@given(
    arrays(np.float32, (6, 8), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0])),
    st.lists(st.integers(0, 7), min_size=6, max_size=6),
)
def test_top1_is_argmax_and_top5_a_stable_sort(logits: np.ndarray, labels: list[int]) -> None:
    found = score(logits, tuple(labels), None)
    assert found.top1 == pytest.approx((logits.argmax(axis=1) == labels).mean())
    first_five = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    assert found.top5 == pytest.approx(np.mean([label in row for label, row in zip(labels, first_five, strict=True)]))


def answering(*classes: int, of: int = 4) -> np.ndarray:
    """Logits of a model that is sure of these classes."""
    return 20 * np.eye(of, dtype=np.float32)[list(classes)]


def test_the_drop_and_its_interval_are_of_the_images_that_flipped() -> None:
    labels = (0, 1, 2, 3, 0, 1, 2, 3)
    before = read_answers(answering(0, 1, 2, 3, 0, 1, 2, 0), labels)  # 7 of 8
    found = score(answering(0, 1, 2, 3, 1, 2, 3, 3), labels, before)  # three lost, one won
    assert (found.top1, found.drop_points) == (0.625, 25.0)
    share = paired_difference_interval(PairedCounts(4, 3, 1, 0))
    assert found.drop_interval == Interval(100 * share.low, 100 * share.high)


def test_the_classes_that_changed_most_come_first() -> None:
    labels = (0, 0, 0, 1, 1, 2, 3)
    before = read_answers(answering(0, 0, 0, 1, 0, 0, 3), labels)
    found = score(answering(1, 1, 0, 1, 1, 0, 3), labels, before)
    assert found.changed_classes == (ChangedClass(0, 3, 1.0, 1 / 3), ChangedClass(1, 2, 0.5, 1.0))
    assert score(answering(0, 0, 0, 1, 0, 0, 3), labels, before).changed_classes == ()


def test_at_most_ten_changed_classes_are_listed() -> None:
    labels = tuple(range(20))
    before = read_answers(np.eye(20), labels)
    changed = score(np.eye(20)[::-1].copy(), labels, before).changed_classes
    assert [each.label for each in changed] == list(range(10))


def test_calibration_error_known_answer() -> None:
    """Two bins: 0.8 confident and right in 2 of 4, 0.3 confident and right in 1 of 1."""
    probability, correct = np.array([0.8, 0.8, 0.8, 0.8, 0.3]), np.array([True, True, False, False, True])
    assert expected_calibration_error(probability, correct) == pytest.approx((4 * 0.3 + 1 * 0.7) / 5)


def test_bins_are_of_equal_width() -> None:
    """0.60 and 0.66 are of one bin, (9/15, 10/15], where errors of two signs cancel; 0.60 itself is of the bin below."""
    right = np.array([True, False])
    assert expected_calibration_error(np.array([0.61, 0.66]), right) == pytest.approx(abs(-0.39 + 0.66) / 2)
    assert expected_calibration_error(np.array([0.59, 0.66]), right) == pytest.approx((0.41 + 0.66) / 2)


def test_the_most_confident_images_count() -> None:
    assert expected_calibration_error(np.array([1.0]), np.array([False])) == 1.0
    assert expected_calibration_error(np.array([0.0]), np.array([True])) == 1.0


def test_agreement_is_of_classes_not_of_logits() -> None:
    first, second = read_answers(answering(0, 1, 2), None), read_answers(0.5 * answering(0, 1, 3), None)
    assert agreement(first, second) == pytest.approx(2 / 3)


def test_pieces_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = np.random.default_rng(0).standard_normal((50, 7)), tuple(n % 7 for n in range(50))
    whole = score(logits, labels, None)
    monkeypatch.setattr(row_file, "_CHUNK_VALUES", 7 * 3)
    assert score(logits, labels, None) == whole


def test_a_file_larger_than_the_memory_used_is_read_in_pieces(tmp_path: Path) -> None:
    """40 MB of logits."""
    path = tmp_path / "logits.npy"
    mapped = np.lib.format.open_memmap(path, "w+", np.float32, (10_000, 1000))
    mapped[np.arange(10_000), np.arange(10_000) % 1000] = 20.0
    mapped.flush()
    tracemalloc.start()
    found = score(np.load(path, mmap_mode="r"), [n % 1000 for n in range(10_000)], None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.top1 == 1.0
    assert peak < 30_000_000


def test_each_answer_is_kept_in_a_file(tmp_path: Path) -> None:
    answers = read_answers(np.array([[0.0, np.log(3)], [5.0, 0.0]]), (1, 1))
    write_top1(tmp_path / "top1" / "a.csv", ("a,b.png", "c.png"), answers)
    with (tmp_path / "top1" / "a.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows == [
        {"id": "a,b.png", "label": "1", "top1": "1", "probability": "0.750000"},
        {"id": "c.png", "label": "1", "top1": "0", "probability": "0.993307"},
    ]


def test_the_file_has_no_labels_where_there_are_none(tmp_path: Path) -> None:
    write_top1(tmp_path / "a.csv", ("x",), read_answers(100 * np.eye(1, 2), None))
    assert (tmp_path / "a.csv").read_text() == "id,label,top1,probability\nx,,0,1.000000\n"
