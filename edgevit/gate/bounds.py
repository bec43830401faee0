"""Holds a value against a bound, or its change from a baseline. Pure; a value whose interval holds the bound decides nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import hypot

from edgevit.gate.limits import Difference, Limit
from edgevit.gate.reading import Reading
from edgevit.gate.values import change_text, value_texts
from edgevit.gate.verdict import Check, Operator, Outcome

ROUNDING = 1e-9
"""By which accuracies and drops, which are computed from each other, may exceed the limit that they equal."""


@dataclass(frozen=True)
class _Bound:
    operator: Operator
    limit: float
    """In the unit of the value."""


def check_bounds(title: str, limit: Limit, reading: Reading) -> Iterator[Check]:
    """Yields a check for the highest and for the lowest value allowed, as far as they are given.

    Args:
        title: Of the metric.
        limit: Its bounds.
        reading: With a value.
    """
    for operator, bound in (("<=", limit.max), (">=", limit.min)):
        if bound is not None:
            made = _Bound("<=" if operator == "<=" else ">=", bound)
            low, high = _interval(limit, reading)
            verdict = _verdict(made, low, high, reading)
            yield _check(title, made, reading, verdict, _absolute_text(made, reading, verdict))


def check_changes(title: str, limit: Limit, reading: Reading, before: Reading) -> Iterator[Check]:
    """Yields a check for the largest increase and for the largest decrease allowed, as far as they are given.

    The interval of a change takes the two values for independent: the half-widths of both are added in squares (the method
    of variance estimates recovery; Zou and Donner, Statistics in Medicine 27, 2008).

    Args:
        title: Of the metric.
        limit: Its bounds.
        reading: With a value.
        before: Of the baseline, with a value.
    """
    for operator, difference, sign in (("<=", limit.max_increase, 1), (">=", limit.max_decrease, -1)):
        if difference is not None and before.value is not None:
            factor = 1 + sign * difference.amount if difference.relative else 1.0
            offset = 0.0 if difference.relative else sign * difference.amount
            made = _Bound("<=" if operator == "<=" else ">=", factor * before.value + offset)
            changed = _with_uncertainty(reading, before, factor)
            low, high = _interval(limit, changed)
            verdict = _verdict(made, low, high, changed)
            text = _change_text(
                made, changed, before.value, replace(difference, amount=sign * difference.amount), verdict
            )
            yield replace(_check(title, made, changed, verdict, text), baseline=before.value)


def _interval(limit: Limit, reading: Reading) -> tuple[float | None, float | None]:
    """What of a value has to be within: its interval, or itself; None for an end that is not known."""
    if limit.by == "value" or not reading.has_interval:
        return reading.value, reading.value
    return reading.low, reading.high


def _verdict(bound: _Bound, low: float | None, high: float | None, reading: Reading) -> Outcome:
    slack = ROUNDING if reading.unit in ("points", "share") else 0.0
    if bound.operator == "<=":
        within, outside = (
            high is not None and high <= bound.limit + slack,
            low is not None and low > bound.limit + slack,
        )
    else:
        within, outside = (
            low is not None and low >= bound.limit - slack,
            high is not None and high < bound.limit - slack,
        )
    if outside:
        return "fail"
    return "pass" if within and not reading.unstable else "inconclusive"


def _with_uncertainty(reading: Reading, before: Reading, factor: float) -> Reading:
    """Widens the interval of a value by that of the baseline's, times ``factor``."""
    assert reading.value is not None
    assert before.value is not None
    own_low, own_high = _ends(reading)
    other_low, other_high = _ends(before)
    low = high = None
    if own_low is not None and other_high is not None:
        low = reading.value - hypot(reading.value - own_low, factor * (other_high - before.value))
    if own_high is not None and other_low is not None:
        high = reading.value + hypot(own_high - reading.value, factor * (before.value - other_low))
    if not reading.has_interval and not before.has_interval:
        low = high = None
    unstable = reading.unstable or (f"the baseline: {before.unstable}" if before.unstable else "")
    return replace(reading, low=low, high=high, unstable=unstable)


def _ends(reading: Reading) -> tuple[float | None, float | None]:
    return (reading.low, reading.high) if reading.has_interval else (reading.value, reading.value)


def _check(title: str, bound: _Bound, reading: Reading, verdict: Outcome, message: str) -> Check:
    room = None
    if reading.value is not None and bound.limit:
        room = (bound.limit - reading.value) / abs(bound.limit) * (1 if bound.operator == "<=" else -1)
    noise = f"; unstable: {reading.unstable}" if reading.unstable else ""
    return Check(
        title, reading.device, bound.operator, bound.limit, reading.value, reading.unit, reading.source, verdict,
        message + noise, reading.low, reading.high, margin=room,
    )  # fmt: skip


def _absolute_text(bound: _Bound, reading: Reading, verdict: Outcome) -> str:
    assert reading.value is not None
    if reading.is_interval and reading.low is not None and reading.high is not None:
        low, high, limit = value_texts(reading.unit, reading.low, reading.high, bound.limit)
        return {
            "pass": f"{reading.source} {low} to {high}, {_words(bound)} {limit}",
            "fail": f"{reading.source} {low} to {high}, all of it {_beyond(bound)} {limit}",
            "inconclusive": f"{reading.source} {low} to {high}, around the limit of {limit}; measure on the device to decide",
        }[verdict]
    value, limit = value_texts(reading.unit, reading.value, bound.limit)
    begin = f"{reading.words or reading.source} {value}"
    if verdict == "fail":
        return f"{begin}, {_beyond(bound)} {limit}{_between(reading)}"
    if not _undecided(bound, reading):
        return f"{begin}, {_words(bound)} {limit}{_between(reading)}"
    share = abs(bound.limit - reading.value) / abs(bound.limit) if bound.limit else None
    side = "under" if reading.value <= bound.limit else "over"
    distance = (
        f"{100 * share:.2g} % {side} the limit of {limit}" if share is not None else f"{side} the limit of {limit}"
    )
    return f"{begin}, {distance}{_within(reading)}"


def _change_text(bound: _Bound, reading: Reading, before: float, allowed: Difference, verdict: Outcome) -> str:
    assert reading.value is not None
    relative = allowed.relative and before != 0
    change = (reading.value - before) / before if relative else reading.value - before
    value, base = value_texts(reading.unit, reading.value, before)
    shown, limit = change_text(reading.unit, change, relative=relative), change_text(
        reading.unit, allowed.amount, relative=allowed.relative
    )  # fmt: skip
    begin = f"{reading.words or reading.source} {value}, {shown} against the baseline's {base}"
    if verdict == "fail":
        return f"{begin}, {_beyond(bound)} {limit}{_between(reading)}"
    if _undecided(bound, reading):
        return f"{begin}, limit {limit}{_within(reading)}"
    return f"{begin}, limit {limit}{_between(reading)}"


def _undecided(bound: _Bound, reading: Reading) -> bool:
    """Whether the bound lies within the interval of a value."""
    if not reading.has_interval:
        return False
    low, high, limit = reading.low, reading.high, bound.limit
    if bound.operator == "<=":
        return (high is None or high > limit) and (low is None or low <= limit)
    return (low is None or low < limit) and (high is None or high >= limit)


def _words(bound: _Bound) -> str:
    return "limit" if bound.operator == "<=" else "at least"


def _beyond(bound: _Bound) -> str:
    return f"{'over' if bound.operator == '<=' else 'under'} the limit of"


def _between(reading: Reading) -> str:
    if reading.low is None or reading.high is None or reading.low == reading.high == reading.value:
        return ""
    low, high = value_texts(reading.unit, reading.low, reading.high)
    return f" (95 % interval {low} to {high})"


def _within(reading: Reading) -> str:
    if reading.high is None:
        return ", but the runs are too few to bound it from above; measure more of them"
    if reading.low is None:
        return ", but the runs are too few to bound it from below; measure more of them"
    low, high = value_texts(reading.unit, reading.low, reading.high)
    return f", which lies within its 95 % interval {low} to {high}"
