"""Formats numbers with their units for people; nothing else rounds."""

from __future__ import annotations

import math
import re

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
"""Characters that would change a terminal or the order of a text, that nobody sees, or that cannot be encoded."""


def visible(text: str) -> str:
    """Returns text from outside with its control characters, but for tabs and newlines, written out: ``\\x1b``."""
    return _CONTROLS.sub(lambda found: _written_out(ord(found[0])), text)


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"  # the second form may stand in JSON too


def milliseconds(value: float | None) -> str:
    """Formats a latency in ms with three significant digits or all integer digits; "–" for None."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "not finite"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} ms"


def size(value: int | float | None) -> str:
    """Formats bytes in decimal units: 950 B, 12.3 kB, 22.9 MB, 1.20 GB; "–" for None."""
    if value is None:
        return "–"
    amount = float(value)
    for unit in ("B", "kB", "MB"):
        if abs(amount) < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB"


def percent(fraction: float | None, digits: int = 1) -> str:
    """Formats a fraction in 0..1 as a percentage; "–" for None."""
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def points(value: float) -> str:
    """Formats a limit in percentage points, or what is held against it: 1.0 pt, 0.01 pt, 0.449 pt."""
    short = f"{value:.1f}"
    return f"{short if math.isclose(float(short), value, rel_tol=1e-3) else format(value, '.3g')} pt"


def accuracy_change(drop_points: float | None, digits: int = 1) -> str:
    """Formats a drop in percentage points as the change it is: "+0.6 pt" for a gain, "-0.6 pt" for a loss."""
    return "–" if drop_points is None else f"{0.0 - drop_points:+.{digits}f} pt"


def metric(value: float | None, unit: str) -> str:
    """Formats a value by a metric: a fraction as a percentage where the unit is "%", else in its unit; "–" for None.

    What is missing from 100 % has two significant digits, as far as four decimals go, for such as cosine similarities differ
    there alone: 87.5 %, 99.72 %, 99.9979 %, 100.0 %.
    """
    if value is None:
        return "–"
    if unit == "%":
        missing = abs(100 - 100 * value)
        return f"{_decimals(100 * value, 1, missing if missing < 1 else 0.0)} %"
    return f"{value:.4g} {unit}".rstrip()


def metric_change(drop: float | None, unit: str, digits: int = 1) -> str:
    """Formats a drop of a metric as the change it is: in points where the unit is "%", else in its unit; "–" for None.

    Args:
        drop: In that unit; negative for a gain.
        unit: "%", or that of the metric, "" for none.
        digits: Behind the point, of percentage points; below 0.1 points there are two significant ones, as far as four
            decimals go: "-0.6 pt", "-0.0021 pt".
    """
    if drop is None:
        return "–"
    if unit == "%":
        small = abs(drop) if abs(drop) < 0.1 else 0.0
        return f"{_decimals(0.0 - drop, digits, small, sign='+')} pt"
    return f"{0.0 - drop:+.3g} {unit}".rstrip()


def _decimals(value: float, least: int, small: float, sign: str = "-") -> str:
    """Formats a number with ``least`` decimals, and further ones, at most four, for two significant digits of ``small``."""
    wanted = 1 - math.floor(math.log10(small)) if small > 0 else least
    text = f"{value:{sign}.{max(least, min(4, wanted))}f}"
    whole, _, behind = text.partition(".")
    return f"{whole}.{behind[:least]}{behind[least:].rstrip('0')}"


def ratio(value: float | None) -> str:
    """Formats a speed-up such as 2.13 ×; "–" for None or a ratio that is not finite."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.2f} ×"


def count(value: int | float | None) -> str:
    """Formats a count with a decimal prefix: 950, 12.3 k, 5.72 M, 1.25 G; "–" for None."""
    if value is None:
        return "–"
    for limit, divisor, suffix, digits in ((1e3, 1, "", 0), (1e6, 1e3, " k", 1), (1e9, 1e6, " M", 2)):
        if abs(value) < limit:
            return f"{value / divisor:.{digits}f}{suffix}"
    return f"{value / 1e9:.2f} G"


def decibels(value: float | None) -> str:
    """Formats a signal-to-noise ratio in dB; None means that the outputs are identical."""
    return "identical" if value is None else f"{value:.1f} dB"


def seconds(value: float) -> str:
    """Formats a duration in seconds, or minutes and seconds from 100 s on."""
    return f"{value:.1f} s" if value < 100 else f"{int(value // 60)} min {int(value % 60):02d} s"


def rough_seconds(value: float) -> str:
    """Formats an estimated duration as one can believe it: 5 s, 40 s, 2 min, 25 min, 1 h 30 min."""
    if value < 10:
        return f"{max(1, round(value))} s"
    if value < 90:
        return f"{5 * round(value / 5)} s"
    minutes = round(value / 60) if value < 1200 else 5 * round(value / 300)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
