"""What is summed up of drops under shift."""

from __future__ import annotations

import pytest

from edgevit.results.candidate import Accuracy, SetAccuracy
from edgevit.results.measurement import Interval
from edgevit.results.shift import (
    DomainScore,
    PairedScore,
    Severity,
    ShiftedDrop,
    ShiftRecord,
    corruption_score,
    shifted_drops,
)
from tests.factories import make_candidate


def paired(drop_points: float) -> PairedScore:
    interval = Interval(drop_points - 1, drop_points + 2)
    return PairedScore(200, 0.8, 0.8 + drop_points / 100, drop_points, interval)


def record(**drops: tuple[float, ...]) -> ShiftRecord:
    """Corruptions by name, each with the drop at every severity."""
    corruptions = tuple(
        corruption_score(name, (Severity(level, "quality 15", paired(drop)) for level, drop in enumerate(each, 1)))
        for name, each in drops.items()
    )
    return ShiftRecord("digits", "onnxruntime/fp32/dense", "ab" * 32, 0, paired(0.5), corruptions)


def test_a_corruption_is_the_mean_of_its_severities() -> None:
    found = corruption_score("jpeg", (Severity(level, "", paired(drop)) for level, drop in enumerate((1, 2, 6), 1)))
    assert found.drop_points == pytest.approx(3)
    assert (found.drop_interval.low, found.drop_interval.high) == pytest.approx((2, 5))


def test_the_largest_drop_is_that_of_corruptions_and_of_further_sets() -> None:
    corrupted = record(noise=(1, 2, 3), blur=(4, 4, 4))
    assert make_candidate().shifted_drop is None
    assert make_candidate(shift=corrupted).shifted_drop == ShiftedDrop("blur", 4, Interval(3, 6))
    sketches = SetAccuracy("sketches", Accuracy(0.5, None, 50, 7.0))
    unlabelled = SetAccuracy("others", Accuracy(None, None, 50, None))
    found = make_candidate(shift=corrupted, other_sets=(sketches, unlabelled)).shifted_drop
    assert found == ShiftedDrop("sketches", 7.0, None)


def test_a_gain_is_a_negative_drop() -> None:
    assert make_candidate(shift=record(noise=(-2, -1, 0))).shifted_drop == ShiftedDrop("noise", -1, Interval(-2, 1))


def test_drops_are_in_the_order_in_which_they_were_asked_for() -> None:
    found = record(noise=(1,), blur=(2,))
    with_domain = ShiftRecord(**{**vars(found), "domains": (DomainScore("sketches", paired(3)),)})
    assert [each.shift for each in shifted_drops(with_domain)] == ["noise", "blur", "sketches"]
