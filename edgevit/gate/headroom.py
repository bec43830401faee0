"""Proposes the limits of a budget from a run: what it reached, and as much more as its own intervals justify."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.gate.budget import DeviceBudget
from edgevit.gate.metrics import METRICS, readings
from edgevit.gate.reading import Reading, Subject
from edgevit.gate.values import value_text
from edgevit.gate.verdict import Unit
from edgevit.results.measurement import HOST
from edgevit.results.ranking import find_candidate
from edgevit.results.run import Run
from edgevit.units import visible

_REPEAT = 1 + math.sqrt(2)
"""Half-widths of an interval above a median that was measured once: a second, independent median lies at most square root of two
half-widths above the first in 39 of 40 cases, and its own interval reaches one half-width further."""
_HIGHER = ("int8_share", "top1", "agreement", "metric")
"""Metrics of which more is better."""
_NOT_MEASURED_TWICE = "one value without an interval, so it only warns"


@dataclass(frozen=True)
class ProposedLimit:
    """A limit that a run would pass."""

    key: str
    device: str | None
    text: str
    """As it stands in TOML, after "=", such as ``"8.2 ms"``."""
    reason: str
    """For people: what the run reached, and where the head-room is from."""
    active: bool = True
    """Whether it is to be set; else it stands in a comment, for the reason given."""


@dataclass(frozen=True)
class ProposedBudget:
    """A budget that a run would pass."""

    candidate: str
    limits: tuple[ProposedLimit, ...]
    unknown: tuple[str, ...]
    """Keys for which the run has no value."""
    cpu: str
    """Pattern of the processor that the run was made on."""


def propose(run: Run, candidate: str | None = None) -> ProposedBudget:
    """Proposes limits on a candidate of a run.

    What is exact (sizes, MACs, ops) is the limit. A measured latency has head-room for a second measurement, from its interval;
    what was evaluated or predicted ends at its interval, for the same images and device give the same again.

    Args:
        run: The run.
        candidate: Id or rank; the chosen one when None.

    Raises:
        UsageError: the run selected no candidate, or has none of that name.
    """
    if candidate is None and run.selected is None:
        raise UsageError(
            "the run selected no candidate", "name one: --candidate ID or RANK; `edgevit report RUN` lists them"
        )
    subject = Subject(run, find_candidate(run.candidates, candidate or run.selected or ""))
    limits: list[ProposedLimit] = []
    unknown: list[str] = []
    for key, device in _places(subject):
        found = [each for each in readings(key, subject, device) if each.value is not None and not each.problem]
        if found:
            limits.append(_limit(key, device, found))
        elif device in (None, HOST):
            unknown.append(key if device is None else f"devices.{device}.{key}")
    cpu = "".join("?" if character in "*?[]" else character for character in run.host.cpu)
    return ProposedBudget(subject.candidate.id, tuple(limits), tuple(unknown), cpu)


def budget_toml(proposed: ProposedBudget, source: str) -> str:
    """Returns a proposed budget as a TOML file with a reason for every limit.

    Args:
        proposed: The budget.
        source: The run that it is from, for people.
    """
    lines = [
        f"# Limits that {_line(proposed.candidate)} of {_line(source)} keeps, with the head-room that its own intervals justify.",
        "# Change them to what you need: a number, a quantity with a unit, or a table such as",
        '# { max = "15 ms", max_increase = "5 %", level = "warn" }; `edgevit budget explain` tells what each means.',
        *_lines(proposed, None),
    ]
    for device in dict.fromkeys(each.device for each in proposed.limits if each.device is not None):
        lines += ["", f"[devices.{_key(device)}]"]
        lines += (
            [f"cpu = {_toml(proposed.cpu)}  # measurements on another processor do not pass"] if device == HOST else []
        )
        lines += _lines(proposed, device)
    if proposed.unknown:
        lines += ["", f"# The run has no value for {', '.join(proposed.unknown)}."]
    return "\n".join(lines) + "\n"


def _places(subject: Subject) -> Iterator[tuple[str, str | None]]:
    """Keys with the devices that the run has values for, without those that tell the same twice."""
    accuracy, candidate = subject.candidate.accuracy, subject.candidate
    of_own = ("metric", "metric_drop") if accuracy is None or accuracy.metric is None else ()
    for key in METRICS:
        if METRICS[key].read is not None and key not in of_own:
            yield key, None
    devices = dict.fromkeys(
        [each.device for each in candidate.measurements] + [each.device for each in candidate.predictions]
    )
    for device in devices:
        for key in METRICS:
            if METRICS[key].read_on is not None and key in DeviceBudget.model_fields:
                yield key, device


def _limit(key: str, device: str | None, found: Sequence[Reading]) -> ProposedLimit:
    """The limit that the worst of several values keeps."""
    bounds = [_bound(key, reading) for reading in found]
    higher = key in _HIGHER
    worst = min(range(len(found)), key=lambda index: bounds[index] if higher else -bounds[index])
    reading, bound = found[worst], bounds[worst]
    text = _rounded(key, reading.unit, bound if math.isfinite(bound) else reading.value or 0.0)
    unstable = next((each.unstable for each in found if each.unstable), "")
    if unstable or not math.isfinite(bound):
        reason = (
            f"unstable: {unstable}; measure again" if unstable else "so few runs do not bound it; measure more of them"
        )
        return ProposedLimit(key, device, text, reason, active=False)
    if reading.source == "measured" and not reading.has_interval and reading.unit in ("bytes", "mJ"):
        text = f'"{math.ceil(bound / 1e6)} MB"' if reading.unit == "bytes" else text
        return ProposedLimit(
            key, device, f'{{ max = {text}, level = "warn" }}', f"{_value(reading)}; {_NOT_MEASURED_TWICE}"
        )
    return ProposedLimit(key, device, text, _reason(reading))


def _bound(key: str, reading: Reading) -> float:
    """What a value may become; infinity where its interval has no end."""
    assert reading.value is not None
    if not reading.has_interval:
        return reading.value
    end = reading.low if key in _HIGHER else reading.high
    if end is None:
        return math.inf
    if reading.source == "measured" and not reading.is_interval:
        return reading.value + _REPEAT * (end - reading.value)
    return end


def _value(reading: Reading) -> str:
    assert reading.value is not None
    return f"{reading.source} {value_text(reading.unit, reading.value)}"


def _reason(reading: Reading) -> str:
    if not reading.has_interval or reading.low is None or reading.high is None:
        return f"{_value(reading)}, exact"
    low, high = value_text(reading.unit, reading.low), value_text(reading.unit, reading.high)
    if reading.source == "measured":
        return f"{_value(reading)} (95 % interval {low} to {high}), and room for a second measurement"
    return f"{_value(reading)}, interval {low} to {high}"


def _rounded(key: str, unit: Unit, bound: float) -> str:
    """A limit as it stands in TOML, rounded to the side on which the value is."""
    if unit in ("bytes", "count"):
        return f"{math.ceil(bound):_}"
    if unit == "share":
        return f'"{math.floor(bound * 1000 + 1e-9) / 10:g} %"'
    if unit == "points":
        return f'"{min(100.0, max(0.0, math.ceil(bound * 10 - 1e-9) / 10)):g} pt"'
    digits = 2 - math.floor(math.log10(abs(bound))) if bound else 0
    side = math.floor if key in _HIGHER else math.ceil
    shown = side(bound * 10**digits) / 10**digits
    if key == "metric_drop":
        shown = max(0.0, shown)
    suffix = {"ms": " ms", "mJ": " mJ", "dB": " dB"}.get(unit, "")
    return f'"{shown:.10g}{suffix}"' if suffix else f"{shown:.10g}"


def _lines(proposed: ProposedBudget, device: str | None) -> list[str]:
    return [
        f"{'' if each.active else '# '}{each.key} = {each.text}  # {_line(each.reason)}"
        for each in proposed.limits
        if each.device == device
    ]


def _line(text: str) -> str:
    """Untrusted text that stays in its comment."""
    return visible(" ".join(text.split()))


def _toml(text: str) -> str:
    return json.dumps(_line(text), ensure_ascii=False)


def _key(name: str) -> str:
    return name if name and all(each.isascii() and (each.isalnum() or each in "-_") for each in name) else _toml(name)
