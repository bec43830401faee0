"""Candidates as points of accuracy against latency, and the front among them; for the pictures and the tables.

Points of a host are measured, those of a device predicted; no function mixes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgevit.report.metric import judge_unit, metric_of
from edgevit.report.table import has_labels, rows_of
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Interval
from edgevit.results.metric import Unit, points_per_unit
from edgevit.results.run import Run

_LEAST_SPAN = 2.0
"""Smallest reach of the vertical axis below the best candidate, in percentage points."""
_LEAST_SHARE = 0.02
"""The same of a metric that is no percentage, as a share of its largest value."""
_LOG_FROM = 8.0
"""Ratio of the largest latency to the smallest from which an axis is logarithmic."""


@dataclass(frozen=True)
class Point:
    """A candidate with both a latency and a value to draw."""

    number: int
    """Its rank in the table of candidates, from 1."""
    candidate: Candidate
    ms: float
    """Median latency."""
    reach_ms: Interval | None
    """Of ``ms``; None where there is none."""
    value: float
    """What candidates are judged by: in percent, or in the unit of the metric that the spec names."""
    reach: Interval | None
    """Of ``value``, in its unit; None where there is none."""

    @property
    def usable(self) -> bool:
        """Whether the candidate was neither rejected nor failed."""
        return self.candidate.status == "ok"


def measured_points(run: Run, device: str = HOST) -> tuple[Point, ...]:
    """Returns the candidates that were measured on this host or on a board, in the order of the table.

    Args:
        run: The run.
        device: "host", or the name of a board.
    """
    points = []
    for number, candidate in enumerate(rows_of(run), 1):
        latency = candidate.latency_on(device)
        ms = latency.p50_ms if latency else candidate.p50_ms if device == HOST else None
        points.append(_point(run, number, candidate, ms, latency.interval_ms if latency else None))
    return tuple(point for point in points if point)


def points_on(run: Run, device: str) -> tuple[Point, ...]:
    """Returns :func:`measured_points` of this host or a board, or :func:`predicted_points` of a device."""
    return measured_points(run, device) if run.is_measured_on(device) else predicted_points(run, device)


def predicted_points(run: Run, device: str) -> tuple[Point, ...]:
    """Returns the candidates that run on a device and have a predicted latency there, in the order of the table.

    Args:
        run: The run.
        device: Its name.
    """
    found = []
    for number, candidate in enumerate(rows_of(run), 1):
        prediction = candidate.prediction(device)
        if prediction and prediction.supported and (latency := prediction.latency_ms):
            found.append(_point(run, number, candidate, latency.p50, Interval(latency.low, latency.high)))
    return tuple(point for point in found if point)


def devices_of(run: Run) -> tuple[str, ...]:
    """Returns the devices that were asked for, then others that something was predicted for, as in runs of an earlier version."""
    predicted = [each.device for candidate in run.candidates for each in candidate.predictions]
    return tuple(dict.fromkeys(device for device in (*run.choices, *predicted) if not run.is_measured_on(device)))


def front(points: Iterable[Point]) -> tuple[Point, ...]:
    """Returns the usable points that no other one equals or exceeds in both speed and value; fastest first.

    Args:
        points: All measured, or all predicted for one device.
    """
    best: list[Point] = []
    for point in sorted((each for each in points if each.usable), key=lambda each: (each.ms, -each.value, each.number)):
        if not best or point.value > best[-1].value:
            best.append(point)
    return tuple(best)


def levels(run: Run) -> tuple[float | None, float | None]:
    """Returns the float baseline and the lowest value allowed, as points have them; None where one is not known."""
    metric = run.baseline.metric
    value = metric.value if metric else run.baseline.top1 if has_labels(run) else None
    if value is None:
        return None, None
    baseline = points_per_unit(judge_unit(run)) * value
    drop = max_drop(run)
    return baseline, None if drop is None else baseline - drop


def max_drop(run: Run) -> float | None:
    """Returns the largest drop allowed, in percentage points or the unit of the metric; None where it is not stated."""
    budget = run.spec.get("budget")
    value = budget.get("max_drop") if isinstance(budget, dict) else None
    return float(value) if isinstance(value, int | float) else None


def vertical_range(points: Sequence[Point], run: Run) -> tuple[float, float]:
    """Returns the range of values that separates the usable candidates; others may lie below it.

    Args:
        points: At least one.
        run: Of the points.
    """
    unit: Unit = judge_unit(run)
    usable = [point.value for point in points if point.usable] or [point.value for point in points]
    lines = [level for level in levels(run) if level is not None]
    top, bottom = max(*usable, *lines, usable[0]), min(*usable, *lines, usable[0])
    least = _LEAST_SPAN if unit == "%" else _LEAST_SHARE * max(abs(top), abs(bottom), 1e-9)
    reach = max(2.5 * (top - bottom), least)
    near = [point.value for point in points if point.value >= top - reach]
    low, high = min(near + lines + [bottom]), max(near + lines + [top])
    margin = 0.18 * max(high - low, least / 2)
    return low - margin, high + margin


def is_logarithmic(points: Iterable[Point]) -> bool:
    """Returns whether latencies differ so much that their axis is logarithmic."""
    latencies = [point.ms for point in points]
    return max(latencies) > _LOG_FROM * min(latencies)


def _point(run: Run, number: int, candidate: Candidate, ms: float | None, reach_ms: Interval | None) -> Point | None:
    share, interval = _value(run, candidate)
    if ms is None or share is None or not (math.isfinite(ms) and math.isfinite(share) and ms > 0):
        return None
    scale = points_per_unit(judge_unit(run))
    reach = interval and Interval(scale * interval.low, scale * interval.high)
    return Point(number, candidate, ms, reach_ms, scale * share, reach)


def _value(run: Run, candidate: Candidate) -> tuple[float | None, Interval | None]:
    """What the candidate is judged by, with its interval: the metric of the spec, top-1, or agreement without labels."""
    accuracy, verification = candidate.accuracy, candidate.verification
    if metric_of(run):
        score = accuracy.metric if accuracy else None
        return (score.value, score.interval) if score else (None, None)
    if has_labels(run):
        return (accuracy.top1, accuracy.top1_interval) if accuracy else (None, None)
    return (verification.top1_agreement if verification else None), None
