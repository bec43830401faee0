"""Medians and ratios of repeated measurements, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
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
    skipped = next(rank for rank in range(1, len(ordered) + 1) if _median_within(rank, len(ordered)) > _TAIL) - 1
    return Interval(ordered[skipped], ordered[-1 - skipped])


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
    size = count if count % 2 else count - 1
    share = rank / count
    return sum(
        comb(size, drawn) * share**drawn * (1 - share) ** (size - drawn) for drawn in range(size // 2 + 1, size + 1)
    )
