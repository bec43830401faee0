"""Intervals of proportions: of one, and of the difference of two that were counted on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from edgevit.results.measurement import Interval

_Z = NormalDist().inv_cdf(0.975)
"""Standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True)
class PairedCounts:
    """Images by whether each of two models recognizes them."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def total(self) -> int:
        """Number of images."""
        return self.both + self.first_only + self.second_only + self.neither


def proportion_interval(successes: int, total: int) -> Interval:
    """Returns the 95 % score interval of a proportion.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927. It keeps its coverage
    with few images and near 0 and 1.

    Args:
        successes: Of ``total``, 0..total.
        total: At least 1.

    Returns:
        Within 0..1.

    Raises:
        ValueError: the counts are not such.
    """
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"{successes} of {total} is not a proportion")
    share, spread = successes / total, _Z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * sqrt(share * (1 - share) / total + spread / (4 * total))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def paired_difference_interval(counts: PairedCounts) -> Interval:
    """Returns the 95 % interval of the first model's proportion minus the second's, on the same images.

    Method 10 of Newcombe, "Improved confidence intervals for the difference between binomial proportions based on
    paired data", Statistics in Medicine 17, 1998: the Wilson intervals of both, combined by the correlation between
    them with a continuity correction. It needs no large sample, nor any image on which the two differ.

    Args:
        counts: At least one image.

    Returns:
        Within -1..1.

    Raises:
        ValueError: there are no images.
    """
    total = counts.total
    first, second = counts.both + counts.first_only, counts.both + counts.second_only
    one, other = proportion_interval(first, total), proportion_interval(second, total)
    correlation = _correlation(counts)
    difference = (first - second) / total
    below = _combined(first / total - one.low, other.high - second / total, correlation)
    above = _combined(one.high - first / total, second / total - other.low, correlation)
    return Interval(max(-1.0, difference - below), min(1.0, difference + above))


def _correlation(counts: PairedCounts) -> float:
    first, second = counts.both + counts.first_only, counts.both + counts.second_only
    scale = sqrt(first * (counts.total - first) * second * (counts.total - second))
    if not scale:
        return 0.0
    joint = counts.both * counts.neither - counts.first_only * counts.second_only
    return (max(joint - counts.total / 2, 0.0) if joint > 0 else joint) / scale


def _combined(one: float, other: float, correlation: float) -> float:
    return sqrt(max(0.0, one**2 - 2 * correlation * one * other + other**2))
