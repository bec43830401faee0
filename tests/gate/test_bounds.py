"""An interval decides on which side of a bound a value is, or that nobody knows."""

from __future__ import annotations

from math import hypot

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.gate.bounds import check_bounds, check_changes
from edgevit.gate.limits import Difference, Limit
from edgevit.gate.reading import Reading
from edgevit.gate.verdict import Check

VALUE = Reading("measured", "ms", 10.0, 9.0, 11.0)
EXACT = Reading("file", "bytes", 1000.0)


def bounded(limit: Limit, reading: Reading = VALUE) -> Check:
    (check,) = check_bounds("latency p50", limit, reading)
    return check


def changed(limit: Limit, reading: Reading, before: Reading) -> Check:
    (check,) = check_changes("latency p50", limit, reading, before)
    return check


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (Limit(max=11.0), "pass"), (Limit(max=10.9), "inconclusive"), (Limit(max=9.0), "inconclusive"), (Limit(max=8.9), "fail"),
        (Limit(min=9.0), "pass"), (Limit(min=9.1), "inconclusive"), (Limit(min=11.0), "inconclusive"), (Limit(min=11.1), "fail"),
    ],
)  # fmt: skip
def test_the_whole_interval_has_to_be_within(limit: Limit, verdict: str) -> None:
    assert bounded(limit).verdict == verdict


def test_how_far_a_value_is_from_its_limit_is_told() -> None:
    assert bounded(Limit(max=12.5)).margin == pytest.approx(0.2)
    assert bounded(Limit(max=8.0)).margin == pytest.approx(-0.25)
    assert bounded(Limit(min=8.0)).margin == pytest.approx(0.25)
    assert "2.9 % under the limit of 10.3 ms" in bounded(Limit(max=10.3)).message
    assert bounded(Limit(min=8.0)).message == "measured 10.0 ms, at least 8.00 ms (95 % interval 9.00 ms to 11.0 ms)"


def test_both_bounds_are_checks_of_their_own() -> None:
    assert [check.operator for check in check_bounds("size", Limit(max=2000, min=500), EXACT)] == ["<=", ">="]


@pytest.mark.parametrize(
    ("value", "allowed", "verdict"),
    [
        (1050.0, Difference(0.05, True), "pass"), (1051.0, Difference(0.05, True), "fail"),
        (1100.0, Difference(100.0, False), "pass"), (1101.0, Difference(100.0, False), "fail"),
        (1000.0, Difference(0.0, True), "pass"), (1001.0, Difference(0.0, True), "fail"),
    ],
)  # fmt: skip
def test_an_increase_is_held_against_the_baseline(value: float, allowed: Difference, verdict: str) -> None:
    check = changed(Limit(max_increase=allowed), Reading("file", "bytes", value), EXACT)
    assert (check.verdict, check.baseline) == (verdict, 1000.0)


def test_a_suspicious_decrease_fails() -> None:
    check = changed(Limit(max_decrease=Difference(0.5, True)), Reading("file", "bytes", 400.0), EXACT)
    assert (check.verdict, check.limit) == ("fail", 500.0)
    assert check.message == "file 400 B, -60 % against the baseline's 1.0 kB, under the limit of -50 %"


def test_the_interval_of_a_change_has_the_noise_of_both() -> None:
    check = changed(Limit(max_increase=Difference(0.1, True)), VALUE, Reading("measured", "ms", 10.0, 8.0, 11.0))
    assert check.limit == pytest.approx(11.0)
    assert (check.low, check.high) == (
        pytest.approx(10 - hypot(1.0, 1.1)),
        pytest.approx(10 + hypot(1.0, 2.2)),
    )
    assert check.verdict == "inconclusive"


def test_nothing_may_be_added_to_a_baseline_of_none() -> None:
    none = Reading("predicted", "count", 0.0)
    limit = Limit(max_increase=Difference(0.1, True))
    assert changed(limit, none, none).verdict == "pass"
    assert changed(limit, Reading("predicted", "count", 1.0), none).verdict == "fail"


def test_an_unstable_baseline_lets_nothing_pass() -> None:
    noisy = Reading("measured", "ms", 10.0, 9.9, 10.1, unstable="steal time")
    check = changed(Limit(max_increase=Difference(1.0, True)), VALUE, noisy)
    assert check.verdict == "inconclusive"
    assert check.message.endswith("; unstable: the baseline: steal time")


@given(
    value=st.floats(1, 100), below=st.floats(0, 50), above=st.floats(0, 50), limit=st.floats(0.1, 200),
    before=st.floats(1, 100), allowed=st.floats(0, 2),
)  # fmt: skip
def test_no_bound_passes_that_the_value_itself_exceeds(
    value: float, below: float, above: float, limit: float, before: float, allowed: float
) -> None:
    reading = Reading("measured", "ms", value, value - below, value + above)
    if bounded(Limit(max=limit), reading).verdict == "pass":
        assert value <= limit
    increase = Limit(max_increase=Difference(allowed, True))
    if changed(increase, reading, Reading("measured", "ms", before, before, before)).verdict == "pass":
        assert value <= before * (1 + allowed) * (1 + 1e-12)
