"""Whether a float model answers like one that was trained for the labels."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.accuracy import Answers, read_answers
from edgevit.artifacts.plausibility import chance_warning, check_plausible, kappa
from edgevit.errors import CheckFailed

LABELS = np.repeat(np.arange(10), 5)


def answers(found: np.ndarray, labels: np.ndarray = LABELS, classes: int = 11) -> Answers:
    """Answers of a model that is sure of each."""
    return read_answers(np.eye(classes, dtype=np.float32)[found], labels.tolist())


def test_kappa_is_cohens() -> None:
    """The example of Cohen's table: agreement 0.7, by chance 0.5."""
    labels = np.repeat([0, 1], [50, 50])
    found = np.r_[np.repeat([0, 1], [35, 15]), np.repeat([0, 1], [15, 35])]
    assert kappa(answers(found, labels)) == pytest.approx(0.4)
    assert kappa(answers(LABELS)) == 1
    assert kappa(answers(np.zeros(50, int))) == 0
    assert kappa(read_answers(np.zeros((3, 4), np.float32), None)) is None


def test_a_frequent_class_alone_does_not_make_a_model_plausible() -> None:
    labels = np.repeat([0, 1], [95, 5])
    with pytest.raises(CheckFailed, match="recognizes 95.0 % of the 100 images of data: no better than chance"):
        check_plausible(answers(np.zeros(100, int), labels), None, "data")
    check_plausible(answers(np.repeat([0, 1], [96, 4]), labels), None, "data")


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        ((LABELS + 1) % 11, "add 1 to --class-offset"),
        (np.r_[np.zeros(5, int), LABELS[5:] - 1], "add -1 to --class-offset"),
        ((LABELS + 5) % 10, "each class has an answer of its own, but another one: check the order of the classes"),
        (np.random.default_rng(0).integers(0, 10, 50), "check mean and std of the normalization"),
    ],
)
def test_likely_causes_are_told(found: np.ndarray, cause: str) -> None:
    with pytest.raises(CheckFailed, match="no better than chance") as caught:
        check_plausible(answers(found), None, "data")
    assert caught.value.hint and cause in caught.value.hint
    assert cause in (chance_warning(answers(found)) or "")
    check_plausible(answers(found), 0, "data")


def test_few_images_say_nothing() -> None:
    check_plausible(answers(np.zeros(6, int), np.arange(6)), None, "data")
    with pytest.raises(CheckFailed, match="0.0 % of the 6 images"):
        check_plausible(answers(np.full(6, 7), np.arange(6)), 50, "data")


def test_what_is_expected_counts_in_place_of_chance() -> None:
    found = np.where(np.arange(50) % 5 == 0, 10, LABELS)  # 80 %
    check_plausible(answers(found), 80, "data")
    check_plausible(answers(found), None, "data")
    assert chance_warning(answers(found)) is None
    with pytest.raises(CheckFailed, match="80.0 % of the 50 images of data, less than the 81 % expected"):
        check_plausible(answers(found), 81, "data")
