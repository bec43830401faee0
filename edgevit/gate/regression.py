"""Decides, after each block, whether a new artifact is slower than an old one by more than is allowed. Pure."""

from __future__ import annotations

import math
from typing import Literal

from edgevit.gate.verdict import Check, Outcome, Verdict
from edgevit.results.measurement import HOST, Interval
from edgevit.results.regression import Regression, RegressionLimits

RESOLUTION = 0.005
"""Slow-downs below that are not told from none: with a limit of 0 % two equal files could never pass."""

Decision = Literal["within the limits", "too slow", "suspiciously fast", "not known yet"]


def decide(interval: Interval, limits: RegressionLimits) -> Decision:
    """Returns what an interval tells.

    Args:
        interval: Of the logarithm of the ratio of latencies, new over old, see :mod:`edgevit.gate.confidence_sequence`.
        limits: What the new one may do.
    """
    if interval.low > interval.high:
        return "not known yet"
    if interval.low > math.log1p(limits.max_regression):
        return "too slow"
    fastest = math.log1p(-limits.max_speed_up)
    if interval.high < fastest:
        return "suspiciously fast"
    slowest = math.log1p(max(limits.max_regression, RESOLUTION))
    if interval.high < slowest and interval.low > fastest:
        return "within the limits"
    return "not known yet"


def change(ratio: float) -> str:
    """Formats a ratio of latencies as the change it is: "4.9 % slower", "12 % faster", "0.0 %"."""
    percent = 100 * (ratio - 1)
    digits = 0 if abs(percent) >= 9.95 else 1
    size = f"{abs(percent):.{digits}f}"
    if float(size) == 0:
        return "0.0 % slower"
    return f"{size} % {'slower' if percent > 0 else 'faster'}"


def verdict_of(found: Regression) -> Verdict:
    """Returns a comparison as the two checks of a gate: that the new artifact is not too slow, and not suspiciously fast."""
    limits = found.limits
    log = Interval(*(math.log(end) if end else sign * math.inf for end, sign in ((found.low, -1), (found.high, 1))))
    decision = decide(log, limits)
    fastest, slowest = math.log1p(-limits.max_speed_up), math.log1p(max(limits.max_regression, RESOLUTION))
    known = log.low <= log.high
    slow: Outcome = "fail" if decision == "too slow" else "pass" if known and log.high < slowest else "inconclusive"
    fast: Outcome = (
        "fail" if decision == "suspiciously fast" else "pass" if known and log.low > fastest else "inconclusive"
    )
    low, high = (None if end is None else end - 1 for end in (found.low, found.high))
    more = Check(
        "latency regression", HOST, "<=", limits.max_regression, found.ratio - 1, "share", "measured", slow,
        f"{_measured(found)}; at most {100 * limits.max_regression:g} % slower is allowed", low, high, candidate=str(found.new.path),
    )  # fmt: skip
    less = Check(
        "latency speed-up", HOST, "<=", limits.max_speed_up, 1 - found.ratio, "share", "measured", fast,
        f"{_measured(found)}; at most {100 * limits.max_speed_up:g} % faster is not suspicious",
        None if high is None else -high, None if low is None else -low, candidate=str(found.new.path),
    )  # fmt: skip
    return Verdict(str(found.new.path), (more, less), "; ".join((*found.notes, *found.contention)))


def _measured(found: Regression) -> str:
    if found.low is None or found.high is None:
        return f"measured {change(found.ratio)}, too few blocks for an interval"
    sure = f"{100 * (1 - found.error_rate):g} % interval"
    return f"measured {change(found.ratio)} ({sure} {change(found.low)} to {change(found.high)})"
