"""What changed from one artifact to another, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from edgevit import units
from edgevit.report import intervals
from edgevit.results.changes import AccuracyChange, AmountChange, Changes, LatencyChange

_TEXT: Mapping[str, Callable[[float | None], str]] = {
    "bytes": units.size,
    "share": units.percent,
    "count": units.count,
}
TITLES = ("", "A", "B", "change")
NUMERIC = (1, 2)
_MOST_FLIPS = 10
"""Images that are named."""
_TIMED = {
    "same rounds": "timed in the same rounds",
    "two runs": "of two runs, not timed together",
    "measured now": "timed alternately now",
}


def change_rows(found: Changes) -> list[tuple[str, ...]]:
    """Returns accuracy, latency, sizes and shares of both, each with its change."""
    rows: list[tuple[str, ...]] = []
    if found.accuracy and found.accuracy.top1_before is not None:
        rows.append(_top1(found.accuracy))
    if found.latency:
        rows.append(_latency(found.latency))
    rows += [_amount(each) for each in found.amounts]
    for shift in found.shift:
        before, after = shift.before, shift.after
        more = None if before is None or after is None else after - before
        name = f"change under {shift.shift}"
        rows.append((name, *map(units.accuracy_change, (before, after)), units.accuracy_change(more)))
    return rows


def change_lines(found: Changes) -> list[str]:
    """Returns what the rows do not say: images, ops, settings, what was not compared, notes; one line each."""
    return [
        *(accuracy_lines(found.accuracy) if found.accuracy else ()),
        *([f"latency: {_TIMED[found.latency.timed]}; {_verdict(found.latency)}"] if found.latency else []),
        *(f"ops: {op.before} to {op.after} {op.kind} in {op.numerics}" for op in found.ops),
        *(f"{each.name}: {each.before} → {each.after}" for each in found.settings),
        *(f"not compared: {each.part}: {each.reason}" for each in found.not_compared),
        *(f"note: {note}" for note in found.notes),
    ]


def _top1(found: AccuracyChange) -> tuple[str, str, str, str]:
    change = f"{units.accuracy_change(found.drop_points)} ({intervals.accuracy_change(found.drop_interval)})"
    return "top-1", units.percent(found.top1_before), units.percent(found.top1_after), change


def _latency(found: LatencyChange) -> tuple[str, str, str, str]:
    change = f"{units.ratio(found.speed_up)} as fast ({intervals.ratio(found.interval)})"
    return "latency p50", units.milliseconds(found.before_ms), units.milliseconds(found.after_ms), change


def _verdict(found: LatencyChange) -> str:
    if found.tied:
        return "no difference is shown"
    return "B is faster" if found.speed_up > 1 else "B is slower"


def _amount(found: AmountChange) -> tuple[str, str, str, str]:
    text = _TEXT[found.unit]
    before, after = found.before, found.after
    if before is None or after is None:
        change = "–"
    elif before == after:
        change = "the same"
    elif found.unit == "share":
        change = f"{100 * (after - before):+.1f} pt"
    else:
        change = f"{100 * (after / before - 1):+.1f} %" if before else "–"
    return found.name, text(before), text(after), change


def accuracy_lines(found: AccuracyChange) -> Iterable[str]:
    """Yields which images changed their class, and what McNemar's test says of it, one line each."""
    images = f"{len(found.flips)} of {found.samples} images of {found.source} changed their class"
    if found.top1_before is None:
        yield f"accuracy: {images}; there are no labels"
    else:
        shown = "" if found.p_value is None else f"; McNemar's exact test: p = {found.p_value:.3g}"
        if found.p_value is not None:
            shown += ", a difference" if found.p_value < 0.05 else ", no difference is shown"
        yield f"accuracy: {images}: {found.only_before} only A recognizes, {found.only_after} only B{shown}"
    for flip in found.flips[:_MOST_FLIPS]:
        label = "" if flip.label is None else f"class {flip.label}, "
        yield f"  {flip.image}: {label}A says {flip.before}, B {flip.after}"
    if len(found.flips) > _MOST_FLIPS:
        yield f"  and {len(found.flips) - _MOST_FLIPS} more: --json has all"
