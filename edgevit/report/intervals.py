"""Intervals as text, each with its unit once; "–" for one that is not known."""

from __future__ import annotations

from collections.abc import Callable

from edgevit import units
from edgevit.results.measurement import Interval


def milliseconds(interval: Interval | None) -> str:
    """Formats latencies, as "12.1 to 12.6 ms"."""
    return _between(interval, units.milliseconds, " ms")


def ratio(interval: Interval | None) -> str:
    """Formats speed-ups, as "2.05 to 2.20 ×"."""
    return _between(interval, units.ratio, " ×")


def percent(interval: Interval | None) -> str:
    """Formats fractions, as "79.8 to 84.9 %"."""
    return _between(interval, units.percent, " %")


def accuracy_change(drop_points: Interval | None) -> str:
    """Formats drops in percentage points as the changes they are, as "-1.3 to +0.5 pt"."""
    turned = drop_points and Interval(drop_points.high, drop_points.low)
    return _between(turned, units.accuracy_change, " pt")


def metric(interval: Interval | None, unit: str) -> str:
    """Formats values by a metric, see :func:`edgevit.units.metric`."""
    return _between(interval, lambda value: units.metric(value, unit), f" {unit}" if unit else "")


def metric_change(drop: Interval | None, unit: str) -> str:
    """Formats drops of a metric as the changes they are, see :func:`edgevit.units.metric_change`."""
    turned = drop and Interval(drop.high, drop.low)
    suffix = {"%": " pt", "": ""}.get(unit, f" {unit}")
    return _between(turned, lambda value: units.metric_change(value, unit), suffix)


def size(interval: Interval | None) -> str:
    """Formats bytes, as "40.6 MB to 121.0 MB"."""
    return _between(interval, units.size, "")


def _between(interval: Interval | None, text: Callable[[float], str], unit: str) -> str:
    if interval is None:
        return "–"
    return f"{text(interval.low).removesuffix(unit)} to {text(interval.high)}"
