"""Limits as users write them: a number, a quantity with its unit such as ``"15 ms"``, or a table of bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from edgevit.errors import closest
from edgevit.gate.verdict import Unit

Switch = Literal["error", "warn", "off"]
LEVELS: tuple[Switch, ...] = ("error", "warn", "off")


@dataclass(frozen=True)
class Kind:
    """What values of a metric are: their unit, their range, and how quantities of them are written."""

    unit: Unit
    better: Literal["lower", "higher"]
    """Which bound a bare number is: the highest, or the lowest, that is allowed."""
    low: float
    high: float = math.inf
    open_low: bool = False
    """Whether ``low`` itself is out of range."""
    suffixes: tuple[tuple[str, float], ...] = ()
    """Units that a quantity may be written in, each with how many of ``unit`` it is."""
    differences: tuple[tuple[str, float], ...] = ()
    """Likewise for a difference from a baseline, where that is written otherwise; ``suffixes`` when empty."""
    relative: bool = True
    """Whether a difference from a baseline may be a percentage of it."""


_MS = (("ms", 1.0), ("us", 1e-3), ("µs", 1e-3), ("s", 1e3))
_BYTES = (
    ("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("KiB", 2.0**10), ("MiB", 2.0**20), ("GiB", 2.0**30),
)  # fmt: skip
_COUNT = (("k", 1e3), ("M", 1e6), ("G", 1e9))
_PERCENT, _POINTS = (("%", 0.01),), (("pt", 1.0),)

MILLISECONDS = Kind("ms", "lower", 0, open_low=True, suffixes=_MS)
BYTES = Kind("bytes", "lower", 0, open_low=True, suffixes=_BYTES)
COUNT = Kind("count", "lower", 0, suffixes=_COUNT)
POINTS = Kind("points", "lower", 0, 100, suffixes=_POINTS, relative=False)
SHARE = Kind("share", "higher", 0, 1, suffixes=_PERCENT, differences=(("pt", 0.01),), relative=False)
MILLIJOULES = Kind("mJ", "lower", 0, open_low=True, suffixes=(("mJ", 1.0), ("J", 1e3), ("uJ", 1e-3), ("µJ", 1e-3)))
METRIC = Kind("", "higher", -math.inf, suffixes=(*_PERCENT, ("dB", 1.0)), differences=_POINTS, relative=False)
METRIC_DROP = Kind("", "lower", 0, suffixes=(*_POINTS, ("dB", 1.0)), relative=False)


@dataclass(frozen=True)
class Difference:
    """How far a value may be from that of the baseline."""

    amount: float
    """In the unit of the value, or a share of the baseline's value; at least 0."""
    relative: bool
    """Whether it is a share."""


@dataclass(frozen=True)
class Limit:
    """Bounds of one metric; at least one is given."""

    toml_words: ClassVar[str] = "number, quantity or table"

    max: float | None = None
    """Highest value allowed, in the metric's unit."""
    min: float | None = None
    """Lowest value allowed, likewise."""
    max_increase: Difference | None = None
    """How much more than the baseline is allowed."""
    max_decrease: Difference | None = None
    """How much less than the baseline is allowed."""
    level: Switch = "error"
    source: Literal["any", "measured"] = "any"
    """"measured" where a prediction is no answer."""
    by: Literal["interval", "value"] = "interval"
    """Whether the whole interval of a value has to be within, or the value alone."""

    @property
    def is_relative(self) -> bool:
        """Whether a baseline run is needed."""
        return self.max_increase is not None or self.max_decrease is not None


_BOUNDS, _DIFFERENCES = ("max", "min"), ("max_increase", "max_decrease")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "level": LEVELS, "source": ("any", "measured"), "by": ("interval", "value"),
}  # fmt: skip
_NUMBER = re.compile(r"\s*([+-]?[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*(\S*)\s*")


def read_limit(kind: Kind, value: Any) -> Limit:
    """Returns a limit as it is written in a budget.

    Args:
        kind: Of the metric.
        value: A number, a text such as "8 MB", or a table of ``max``, ``min``, ``max_increase``, ``max_decrease``, ``level``,
            ``source`` and ``by``.

    Raises:
        ValueError: it is none of these, has an unknown key or unit, is out of range, or its bounds contradict each other.
    """
    if isinstance(value, Limit):
        return value
    if not isinstance(value, dict):
        bound = _in_range(kind, quantity(kind.suffixes, value))
        return Limit(max=bound) if kind.better == "lower" else Limit(min=bound)
    known = (*_BOUNDS, *_DIFFERENCES, *_CHOICES)
    if unknown := next((key for key in value if key not in known), None):
        near = closest(str(unknown), known)
        raise ValueError(
            f"unknown key {unknown!r}; {'did you mean ' + ' or '.join(near) if near else 'known'}: {', '.join(known)}"
        )
    fields: dict[str, Any] = {}
    for key, given in value.items():
        try:
            fields[key] = _read(kind, key, given)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    limit = Limit(**fields)
    _check(limit)
    return limit


def quantity(suffixes: tuple[tuple[str, float], ...], value: Any) -> float:
    """Returns a number, or a quantity such as "15 ms", in the unit of a metric.

    Args:
        suffixes: Units that it may be written in, each with its factor.
        value: As it is in the file.

    Raises:
        ValueError: it is neither, its unit is none of these, or it is not finite.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"is no number or quantity{_such_as(suffixes)}")
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        if not found:
            raise ValueError(f"{value[:40]!r} is no quantity{_such_as(suffixes)}")
        factors = {**dict(suffixes), "": 1.0}
        if found[2] not in factors:
            raise ValueError(
                f"unknown unit {found[2][:20]!r}; known: {', '.join(name for name, _ in suffixes) or 'none'}"
            )
        factor = factors[found[2]]
        value = float(found[1]) * factor if factor >= 1 else float(found[1]) / round(1 / factor)  # 57 % is exactly 0.57
    if not math.isfinite(value):
        raise ValueError("is not finite")
    return float(value)


def _such_as(suffixes: tuple[tuple[str, float], ...]) -> str:
    return f' such as "10 {suffixes[0][0]}"' if suffixes else ""


def _read(kind: Kind, key: str, given: Any) -> Any:
    if key in _CHOICES:
        if given not in _CHOICES[key]:
            raise ValueError(f"{given!r} is none of {', '.join(_CHOICES[key])}")
        return given
    if key in _BOUNDS:
        return _in_range(kind, quantity(kind.suffixes, given))
    return _difference(kind, given)


def _in_range(kind: Kind, value: float) -> float:
    if not kind.low <= value <= kind.high or (kind.open_low and value == kind.low):
        least = f"{'more than' if kind.open_low else 'at least'} {kind.low:g}"
        raise ValueError(
            f"has to be {least}{f' and at most {kind.high:g}' if kind.high < math.inf else ''}, not {value:g}"
        )
    return value


def _difference(kind: Kind, given: Any) -> Difference:
    share = _NUMBER.fullmatch(given) if isinstance(given, str) else None
    is_percent = share is not None and share[2] == "%"
    if is_percent and not kind.relative:
        raise ValueError(
            f"{given!r} could be meant in two ways; give a difference{_such_as(kind.differences or kind.suffixes)}"
        )
    amount = quantity((("%", 0.01),) if is_percent else kind.differences or kind.suffixes, given)
    if amount < 0:
        raise ValueError(f"has to be at least 0, not {amount:g}")
    return Difference(amount, is_percent)


def _check(limit: Limit) -> None:
    bounds = (limit.max, limit.min, limit.max_increase, limit.max_decrease)
    if all(bound is None for bound in bounds):
        raise ValueError(f"states no bound; give {', '.join((*_BOUNDS, *_DIFFERENCES))}")
    if limit.max is not None and limit.min is not None and limit.min > limit.max:
        raise ValueError(f"contradicts itself: min {limit.min:g} is more than max {limit.max:g}")
