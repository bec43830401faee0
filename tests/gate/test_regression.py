"""What an interval of the ratio means for a new artifact."""

from __future__ import annotations

import math

import pytest

from edgevit.gate.confidence_sequence import EVERYTHING
from edgevit.gate.regression import RESOLUTION, Decision, change, decide
from edgevit.results.measurement import Interval
from edgevit.results.regression import RegressionLimits

FIVE = RegressionLimits(0.05, 0.2)
NONE = RegressionLimits(0.0, 0.2)


def interval(low: float, high: float) -> Interval:
    """Of the logarithm, from ratios."""
    return Interval(math.log(low), math.log(high))


@pytest.mark.parametrize(
    ("low", "high", "limits", "decision"),
    [
        (0.99, 1.04, FIVE, "within the limits"),
        (0.81, 1.049, FIVE, "within the limits"),
        (1.051, 1.2, FIVE, "too slow"),
        (1.04, 1.06, FIVE, "not known yet"),
        (0.5, 0.79, FIVE, "suspiciously fast"),
        (0.79, 0.9, FIVE, "not known yet"),
        (1.001, 1.02, NONE, "too slow"),
        (0.99, 1.004, NONE, "within the limits"),
        (0.99, 1.006, NONE, "not known yet"),
        (0.95, 0.99, NONE, "within the limits"),
    ],
)
def test_the_whole_interval_decides(low: float, high: float, limits: RegressionLimits, decision: Decision) -> None:
    assert decide(interval(low, high), limits) == decision


def test_nothing_is_known_without_an_interval_or_with_one_that_contradicts_itself() -> None:
    assert decide(EVERYTHING, FIVE) == "not known yet"
    assert decide(Interval(-math.inf, math.log(1.01)), FIVE) == "not known yet"
    assert decide(interval(1.2, 1.1), FIVE) == "not known yet"


def test_a_slow_down_of_one_percent_is_never_within_a_limit_of_none() -> None:
    assert RESOLUTION < 0.01
    assert decide(interval(0.99, 1.01), NONE) == "not known yet"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.05, "5.0 % slower"),
        (0.88, "12 % faster"),
        (1.0, "0.0 % slower"),
        (1.0004, "0.0 % slower"),
        (0.9996, "0.0 % slower"),
        (0.995, "0.5 % faster"),
        (2.0, "100 % slower"),
    ],
)
def test_a_ratio_is_told_as_a_change(ratio: float, text: str) -> None:
    assert change(ratio) == text
