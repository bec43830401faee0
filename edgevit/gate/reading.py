"""A value of a candidate as a run records it, with its interval and where it is from, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgevit.gate.verdict import Source, Unit
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import Interval
from edgevit.results.run import Run

ROUNDING = 1e-6
"""By which values that were computed from each other may differ: of fractions, of points and of ms."""


@dataclass(frozen=True)
class Subject:
    """A candidate with the run that it is of."""

    run: Run
    candidate: Candidate


@dataclass(frozen=True)
class Reading:
    """One value of a metric."""

    source: Source
    unit: Unit
    value: float | None = None
    """In ``unit``; None where there is none, for the reason in ``problem``."""
    low: float | None = None
    """Lower end of its interval at 95 %; None without an interval, and where it has no end."""
    high: float | None = None
    """Upper end, likewise."""
    words: str = ""
    """Stand before the value in a message, such as "artifact of"; the source when empty."""
    device: str | None = None
    """Name of the device, with its unit where it has several."""
    problem: str = ""
    """Why it is no value to judge; "" where it is."""
    unstable: str = ""
    """Why it cannot be relied on; "" where it can."""
    undecided: str = ""
    """Why the value is not known although something of it is, such as "only its tensors are predicted"; "" where it is known."""
    is_interval: bool = False
    """Whether it was given as an interval, such as a prediction, rather than as a value that has one."""

    @property
    def has_interval(self) -> bool:
        """Whether it has an interval, be it open at one end."""
        return self.low is not None or self.high is not None


def missing(unit: Unit, reason: str, device: str | None = None) -> Reading:
    """Returns the reading of a value that is not there or is impossible."""
    return Reading("none", unit, device=device, problem=reason)


def with_interval(reading: Reading, interval: Interval | None) -> Reading:
    """Adds the interval of a value; one that does not hold the value makes it impossible."""
    if interval is None or reading.value is None:
        return reading
    low, high = interval.low, interval.high
    if not (math.isfinite(low) and math.isfinite(high)) or not low - ROUNDING <= reading.value <= high + ROUNDING:
        reason = f"the interval {low} to {high} is not one of the value {reading.value}"
        return missing(reading.unit, reason, reading.device)
    return replace(reading, low=low, high=high)


def checked(reading: Reading, low: float, high: float = math.inf, *, open_low: bool = False) -> Reading:
    """Returns a reading, or why its value is impossible: it is not finite, or out of range.

    Args:
        reading: With a value.
        low: Least value that is possible.
        high: Largest one.
        open_low: Whether ``low`` itself is impossible.
    """
    value = reading.value
    if value is None or (math.isfinite(value) and low <= value <= high and not (open_low and value == low)):
        return reading
    return missing(reading.unit, f"the recorded value is {value}, which is not a number to judge", reading.device)
