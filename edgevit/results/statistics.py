"""Medians and ratios of repeated measurements, with bootstrap intervals."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from statistics import median

from edgevit.results.measurement import Interval

_TAIL = 0.025
"""Share of the bootstrap distribution below, and above, a 95 % interval."""


@dataclass(frozen=True)
class Ratio:
    """How many times faster the second of two artifacts is: above 1 it is the faster one."""

    median: float
    interval: Interval

    @property
    def tied(self) -> bool:
        """Whether the measurements do not tell which of the two is faster."""
        return self.interval.contains(1.0)


def median_interval(values: Sequence[float]) -> Interval:
    """Returns the 95 % percentile bootstrap interval of a median, as infinitely many resamples would give it.

    The median of a resample of odd size is one of the values, with a probability that follows from the binomial
    distribution: the interval needs no random numbers.

    Args:
        values: Measurements, at least one.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there are no values")
    ordered = sorted(values)
    ranks = range(1, len(ordered) + 1)
    skipped = bisect_right(ranks, _TAIL, key=lambda rank: _median_within(rank, len(ordered)))
    return Interval(ordered[skipped], ordered[-1 - skipped])


def quantile_interval(values: Sequence[float], share: float) -> tuple[float | None, float | None]:
    """Returns the 95 % interval of a quantile that holds whatever the distribution is, from the order of the values.

    Between two values of a sample, the number of values below the quantile is binomial. See David and Nagaraja, "Order
    statistics", 3rd edition, 7.1.

    Args:
        values: Measurements, at least one.
        share: Of the distribution below the quantile, 0..1, its ends excluded.

    Returns:
        The ends; None for one that so few values do not bound, as of the 99th percentile from above below 368 values.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("there are no values")
    ordered, below = sorted(values), _binomial_below(len(values), share)
    lower = [rank for rank, probability in enumerate(below) if probability <= _TAIL]
    upper = [rank for rank, probability in enumerate(below) if probability >= 1 - _TAIL]
    return (ordered[lower[-1]] if lower else None), (ordered[upper[0]] if upper else None)


def _binomial_below(count: int, share: float) -> list[float]:
    """For each k of 0..count - 1: the probability that at most k of ``count`` values lie below the quantile."""
    logarithm, total, found = count * log(1 - share), 0.0, []
    for k in range(count):
        total += exp(logarithm)
        found.append(total)
        logarithm += log((count - k) / (k + 1) * share / (1 - share))
    return found


def paired_ratio(before: Sequence[float], after: Sequence[float]) -> Ratio:
    """Returns the median over rounds of the ratio of two latencies, with its 95 % bootstrap interval.

    Args:
        before: Latency of the first artifact in each round, > 0.
        after: Latency of the second one in the same rounds, in the same unit, > 0.

    Raises:
        ValueError: there are no rounds, or not as many for both.
    """
    ratios = [first / second for first, second in zip(before, after, strict=True)]
    interval = median_interval(ratios)
    return Ratio(median(ratios), interval)


def _median_within(rank: int, count: int) -> float:
    """Probability that the median of a resample is among the ``rank`` smallest of ``count`` values.

    Of an even number of values, resamples have one fewer.
    """
    if rank == count:
        return 1.0
    size = count if count % 2 else count - 1
    within, beyond = log(rank / count), log(1 - rank / count)
    return sum(
        exp(lgamma(size + 1) - lgamma(drawn + 1) - lgamma(size - drawn + 1) + drawn * within + (size - drawn) * beyond)
        for drawn in range(size // 2 + 1, size + 1)
    )
