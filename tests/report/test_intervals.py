"""Intervals as text."""

from __future__ import annotations

from edgevit.report import intervals
from edgevit.results.measurement import Interval


def test_each_has_its_unit_once_and_a_change_its_sign() -> None:
    assert intervals.milliseconds(Interval(9.954, 10.12)) == "9.95 to 10.1 ms"
    assert intervals.ratio(Interval(0.987, 1.0)) == "0.99 to 1.00 ×"
    assert intervals.percent(Interval(0.798, 0.849)) == "79.8 to 84.9 %"
    assert intervals.size(Interval(999, 1.5e6)) == "999 B to 1.5 MB"


def test_a_drop_is_a_change_the_other_way_round() -> None:
    assert intervals.accuracy_change(Interval(-0.5, 1.3)) == "-1.3 to +0.5 pt"


def test_what_is_not_known_is_a_dash() -> None:
    for text in (intervals.milliseconds, intervals.ratio, intervals.percent, intervals.accuracy_change, intervals.size):
        assert text(None) == "–"
