"""Medians and ratios with intervals."""

from __future__ import annotations

from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.results.measurement import Interval
from edgevit.results.statistics import Ratio, median_interval, paired_ratio, quantile_interval

latencies = st.floats(min_value=0.01, max_value=1000.0)


def test_equal_values_leave_no_doubt() -> None:
    assert median_interval([4.0] * 7) == Interval(4.0, 4.0)


def test_the_interval_of_one_or_two_values_is_their_range() -> None:
    assert median_interval([3.0]) == Interval(3.0, 3.0)
    assert median_interval([3.0, 2.0]) == Interval(2.0, 3.0)


def test_there_is_no_median_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
    with pytest.raises(ValueError, match="no values"):
        paired_ratio([], [])


@pytest.mark.parametrize(("count", "skipped"), [(3, 0), (5, 0), (7, 1), (9, 1), (11, 2), (21, 6)])
def test_the_interval_ends_at_the_values_that_resampling_gives(count: int, skipped: int) -> None:
    """Compared with random resamples, of which there are enough to leave no doubt for these counts."""
    values = [float(value) for value in range(count)]
    random = Random(0)
    medians = sorted(median(random.choices(values, k=count)) for _ in range(20_000))
    assert (medians[500], medians[-501]) == (values[skipped], values[-1 - skipped])
    assert median_interval(values) == Interval(values[skipped], values[-1 - skipped])


@given(st.lists(latencies, min_size=1, max_size=12))
def test_the_interval_lies_within_the_values_around_their_median(values: list[float]) -> None:
    found = median_interval(values)
    assert min(values) <= found.low <= median(values) <= found.high <= max(values)
    assert found == median_interval(values[::-1])


def test_the_interval_of_nine_covers_the_true_median_as_often_as_it_says() -> None:
    random = Random(0)
    covered = sum(median_interval([random.gauss(10, 1) for _ in range(9)]).contains(10.0) for _ in range(2000))
    assert covered / 2000 == pytest.approx(0.961, abs=0.02)  # 1 - 2 (1 + 9) / 2^9, of any distribution


def test_of_thousands_of_values_the_interval_is_that_of_the_normal_distribution() -> None:
    """Ranks n / 2 ± 1.96 √n / 2; a small network is run so often in a second."""
    values = [float(value) for value in range(10_001)]
    found = median_interval(values)
    assert (found.low, found.high) == (pytest.approx(5000 - 98, abs=2), pytest.approx(5000 + 98, abs=2))


def test_one_disturbed_round_of_seven_moves_nothing() -> None:
    calm = [10.0, 10.1, 9.9, 10.0, 10.05, 9.95, 10.0]
    disturbed = [*calm[:-1], 40.0]
    assert median_interval(disturbed).high < 10.2


def test_the_ratio_says_how_much_faster_the_second_is() -> None:
    assert paired_ratio([10.0] * 7, [5.0] * 7) == Ratio(2.0, Interval(2.0, 2.0))


@given(st.lists(st.floats(min_value=0.5, max_value=2.0), min_size=3, max_size=9))
def test_a_drift_that_both_see_cancels(drift: list[float]) -> None:
    found = paired_ratio([12.0 * factor for factor in drift], [10.0 * factor for factor in drift])
    assert found.median == pytest.approx(1.2)
    assert (found.interval.low, found.interval.high) == (pytest.approx(1.2), pytest.approx(1.2))


def test_two_that_win_in_turn_are_tied() -> None:
    assert paired_ratio([10.0, 11.0, 10.0, 11.0, 10.0], [11.0, 10.0, 11.0, 10.0, 10.0]).tied
    assert not paired_ratio([10.0, 11.0, 10.0, 11.0, 10.0], [9.0, 10.0, 9.0, 10.0, 9.0]).tied


def test_rounds_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_ratio([1.0, 2.0], [1.0])


def test_the_interval_of_a_quantile_is_from_the_order_of_the_values() -> None:
    """Tabulated: of 100 values, the median is between the 40th and the 61st; the 99th percentile needs 368."""
    assert quantile_interval(range(1, 101), 0.5) == (40, 61)
    assert quantile_interval(range(367), 0.99)[1] is None
    assert quantile_interval(range(368), 0.99)[1] == 367
    assert quantile_interval([3.0], 0.5) == (None, None)
    low, high = quantile_interval(range(20_000), 0.99)
    assert low is not None and high is not None
    assert 0.99 * 20_000 - 30 < low < 0.99 * 20_000 < high < 0.99 * 20_000 + 30


def test_a_quantile_needs_values() -> None:
    with pytest.raises(ValueError, match="no values"):
        quantile_interval([], 0.5)
