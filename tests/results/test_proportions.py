"""Intervals of proportions against published values, and what holds for all counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.results.proportions import PairedCounts, paired_difference_interval, proportion_interval


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_as_published(successes: int, total: int, low: float, high: float) -> None:
    """Method 3 of Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I."""
    found = proportion_interval(successes, total)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(("successes", "total"), [(-1, 10), (11, 10), (0, 0)])
def test_what_is_no_proportion_is_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="is not a proportion"):
        proportion_interval(successes, total)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        (PairedCounts(1, 1, 7, 12), -0.507, -0.026),  # Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2014
        (PairedCounts(36, 12, 2, 0), 0.0569, 0.3404),  # Newcombe 1998, method 10
    ],
)
def test_paired_differences_as_published(counts: PairedCounts, low: float, high: float) -> None:
    found = paired_difference_interval(counts)
    digits = 5e-4 if low == -0.507 else 5e-5
    assert (found.low, found.high) == (pytest.approx(low, abs=digits), pytest.approx(high, abs=digits))


def test_the_more_images_agree_the_narrower_is_the_difference() -> None:
    """The same two proportions: the interval of what flipped is narrower than of two samples apart."""
    alike = paired_difference_interval(PairedCounts(690, 20, 15, 130))
    apart = paired_difference_interval(PairedCounts(590, 120, 115, 30))
    assert alike.high - alike.low < 0.5 * (apart.high - apart.low)


def test_models_that_never_differ_have_a_narrow_interval_around_0() -> None:
    found = paired_difference_interval(PairedCounts(700, 0, 0, 155))
    assert -0.01 < found.low < 0 < found.high < 0.01


counts = st.builds(PairedCounts, *(st.integers(0, 200) for _ in range(4))).filter(lambda each: each.total > 0)


@given(counts)
def test_the_difference_is_inside_and_exchanging_the_models_mirrors_it(each: PairedCounts) -> None:
    found = paired_difference_interval(each)
    difference = (each.first_only - each.second_only) / each.total
    assert -1 <= found.low <= difference + 1e-12
    assert difference - 1e-12 <= found.high <= 1
    mirrored = paired_difference_interval(PairedCounts(each.both, each.second_only, each.first_only, each.neither))
    assert (mirrored.low, mirrored.high) == (pytest.approx(-found.high), pytest.approx(-found.low))
