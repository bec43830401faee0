"""Intervals that hold at once: known answers, and the fairness of the bets counted over all signs."""

from __future__ import annotations

import math
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.gate.confidence_sequence import ERROR_RATE, EVERYTHING, LEAST_VALUES, narrowed, wealth
from edgevit.results.measurement import Interval

SIZES = (0.004, 0.02, 0.0005, 0.009, 0.3, 0.012, 0.006, 0.002, 0.03, 0.011)
FAR = (0.03, 0.05, 0.3, 0.04, 0.06, 0.03, 0.09, 0.05, 0.2, 0.04)
VALUES = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=12)


def sequence(values: tuple[float, ...] | list[float]) -> list[Interval]:
    found = [EVERYTHING]
    for count in range(1, len(values) + 1):
        found.append(narrowed(found[-1], values[:count]))
    return found[1:]


@pytest.mark.parametrize("count", [1, 5, 10])
def test_bets_on_symmetric_values_are_fair(count: int) -> None:
    sizes = SIZES[:count]
    every = [
        wealth([sign * size for sign, size in zip(signs, sizes, strict=True)], 0.0)
        for signs in product((-1, 1), repeat=count)
    ]
    assert sum(every) / len(every) == pytest.approx(1.0)
    assert min(every) >= 0.0


def test_of_all_signs_as_few_cross_the_bound_as_stated() -> None:
    needed = 2 / ERROR_RATE
    crossed = 0
    for signs in product((-1, 1), repeat=len(FAR)):
        values = [sign * size for sign, size in zip(signs, FAR, strict=True)]
        crossed += any(wealth(values[:count], 0.0) >= needed for count in range(LEAST_VALUES, len(FAR) + 1))
    assert 0 < crossed <= ERROR_RATE / 2 * 2 ** len(FAR)


def test_equal_values_are_told_from_none_at_the_earliest_moment() -> None:
    found = sequence([0.03] * LEAST_VALUES)
    assert all(interval == EVERYTHING for interval in found[:-1])
    assert -0.02 < found[-1].low < 0.03 < found[-1].high < 0.08
    assert sequence([0.03] * (LEAST_VALUES + 1))[-1].low > 0
    assert 0.03 - found[-1].low == pytest.approx(found[-1].high - 0.03, abs=1e-5)


@settings(deadline=None, max_examples=25)
@given(VALUES, st.floats(-0.1, 0.1))
def test_the_interval_moves_with_the_values(values: list[float], shift: float) -> None:
    before, after = narrowed(EVERYTHING, values), narrowed(EVERYTHING, [value + shift for value in values])
    for one, other in ((before.low, after.low), (before.high, after.high)):
        assert other == one if math.isinf(one) else other == pytest.approx(one + shift, abs=1e-5)


@settings(deadline=None, max_examples=25)
@given(VALUES)
def test_the_interval_is_mirrored_with_the_values(values: list[float]) -> None:
    before, after = narrowed(EVERYTHING, values), narrowed(EVERYTHING, [-value for value in values])
    assert (after.low, after.high) == (-before.high, -before.low)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-0.05, 0.05), min_size=9, max_size=14))
def test_it_never_widens(values: list[float]) -> None:
    found = sequence(values)
    for earlier, later in pairwise(found):
        assert later.low >= earlier.low
        assert later.high <= earlier.high


def test_a_value_far_off_does_not_undo_what_is_known() -> None:
    values = [0.03] * 12 + [-5.0]
    assert sequence(values)[-1].low > 0
    assert sequence([0.03] * 6 + [-5.0] + [0.03] * 12)[-1].low > 0


def test_more_values_narrow_it() -> None:
    values = [0.03 + (0.01 if number % 2 else -0.01) for number in range(60)]
    found = sequence(values)
    assert found[-1].high - found[-1].low < (found[19].high - found[19].low) / 1.3
    assert found[-1].contains(0.03)
