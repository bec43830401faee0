"""Values of a budget as text for people."""

from __future__ import annotations

from edgevit import units
from edgevit.gate.verdict import Unit

_SUFFIX: dict[Unit, str] = {
    "": "", "bytes": " B", "points": " pt", "ms": " ms", "share": "", "count": "", "mJ": " mJ", "dB": " dB",
}  # fmt: skip


def value_text(unit: Unit, value: float) -> str:
    """Formats a value, rounded."""
    if unit == "ms":
        return units.milliseconds(value)
    if unit == "bytes":
        return units.size(value)
    if unit == "points":
        return units.points(value)
    if unit == "share":
        return units.metric(value, "%")
    return units.count(value) if unit == "count" else f"{value:.4g}{_SUFFIX[unit]}"


def value_texts(unit: Unit, *values: float) -> tuple[str, ...]:
    """Formats values rounded, or in full where two that differ would be printed alike."""
    exact = tuple(round(value, 9) for value in values) if unit in ("points", "share") else values
    rounded = tuple(value_text(unit, value) for value in exact)
    if len(set(rounded)) == len(set(exact)):
        return rounded
    longer = tuple(f"{value:.7g}{_SUFFIX[unit]}" for value in exact)
    if all(abs(value) < 1e6 for value in exact) and len(set(longer)) == len(set(exact)):
        return longer
    return tuple(f"{int(value) if float(value).is_integer() else value!r}{_SUFFIX[unit]}" for value in exact)


def change_text(unit: Unit, amount: float, *, relative: bool) -> str:
    """Formats a difference from a baseline with its sign.

    Args:
        unit: Of the value.
        amount: In that unit, or a share of the baseline's value.
        relative: Whether it is a share.
    """
    sign = "-" if amount < 0 else "+"
    if relative:
        return f"{sign}{abs(100 * amount):.3g} %"
    if unit == "share":
        return f"{sign}{units.points(abs(100 * amount))}"
    return f"{sign}{value_text(unit, abs(amount))}"
