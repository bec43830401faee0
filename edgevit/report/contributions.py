"""What each step on the way to an artifact contributed; the same for the report and for the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from edgevit import units
from edgevit.report.markdown_text import code, table
from edgevit.report.table import has_labels
from edgevit.results.candidate import Candidate, Contribution
from edgevit.results.run import Run


def total_speed_up(steps: Sequence[Contribution]) -> float:
    """Returns how many times faster all steps made it: their product, as each was measured at a moment of its own."""
    return math.prod(step.speed_up for step in steps)


def total_drop_points(steps: Sequence[Contribution]) -> float | None:
    """Returns the drop of all steps together in percentage points; None where that of a step is not known."""
    known = [step.drop_points for step in steps if step.drop_points is not None]
    return math.fsum(known) if len(known) == len(steps) else None


def macs_change(steps: Sequence[Contribution]) -> str:
    """Returns the MACs before the first and after the last of some steps, as "1.25 G → 700.00 M"."""
    return f"{units.count(steps[0].macs_before)} → {units.count(steps[-1].macs_after)}"


def ms_change(step: Contribution) -> str:
    """Returns the latency before and after a step, as "12.2 → 8.20 ms"."""
    return f"{units.milliseconds(step.ms_before).removesuffix(' ms')} → {units.milliseconds(step.ms_after)}"


def contribution_lines(candidate: Candidate) -> list[str]:
    """Returns what led to a candidate in plain text: a line for all together, then one per step; none without steps."""
    steps = candidate.contributions
    if not steps:
        return []
    what = "top-1" if candidate.accuracy and candidate.accuracy.top1 is not None else "agreement"
    number = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    total = ", ".join((f"{units.ratio(total_speed_up(steps))} the speed", *_change(what, total_drop_points(steps))))
    return [
        f"{candidate.id}, {number} from the dense float candidate: {total}",
        *(_line(step, what) for step in steps),
    ]


def _line(step: Contribution, what: str) -> str:
    changes = (f"{macs_change((step,))} MACs", f"{ms_change(step)} ({units.ratio(step.speed_up)})")
    return f"{step.name} {_brief(step)}: {', '.join((*changes, *_change(what, step.drop_points)))}"


def _change(what: str, drop_points: float | None) -> tuple[str, ...]:
    return () if drop_points is None else (f"{what} {units.accuracy_change(drop_points)}",)


def _brief(step: Contribution) -> str:
    """The plan or scheme, without how it was carried out."""
    return re.split(r": | \(", step.settings, maxsplit=1)[0]


def contributions_section(run: Run) -> str:
    """Returns the section of the report; "" where no usable candidate has a step to show."""
    chosen = run.chosen
    others = [
        candidate
        for candidate in run.candidates
        if candidate.id != run.selected and candidate.status == "ok" and len(candidate.contributions) > 1
    ]
    what = "top-1" if has_labels(run) else "agreement"
    parts = []
    if chosen and chosen.contributions:
        start = f"From the dense float candidate of {code(chosen.backend)} to the chosen {code(chosen.id)}:"
        parts += [start, _step_by_step(chosen.contributions, what)]
    if others:
        parts += [f"{'Other usable' if parts else 'Usable'} candidates of several steps:", _compact(others, what)]
    return "\n\n".join(("## What each step contributed", *parts, _legend(run))) if parts else ""


def _step_by_step(steps: Sequence[Contribution], what: str) -> str:
    rows = [
        (
            step.name,
            step.settings,
            macs_change((step,)),
            ms_change(step),
            units.ratio(step.speed_up),
            units.accuracy_change(step.drop_points),
        )
        for step in steps
    ]
    total = (
        macs_change(steps),
        "–",
        units.ratio(total_speed_up(steps)),
        units.accuracy_change(total_drop_points(steps)),
    )
    titles = ("step", "settings", "MACs", "latency", "speed-up", f"{what} change")
    return table(titles, (*rows, ("total", "", *total)), range(2, 6))


def _compact(candidates: Sequence[Candidate], what: str) -> str:
    rows = [
        (
            candidate.id,
            ", then ".join(_in_short(step) for step in steps),
            macs_change(steps),
            units.ratio(total_speed_up(steps)),
            units.accuracy_change(total_drop_points(steps)),
        )
        for candidate in candidates
        if (steps := candidate.contributions)
    ]
    return table(("candidate", "steps", "MACs", "speed-up", f"{what} change"), rows, range(2, 5))


def _in_short(step: Contribution) -> str:
    change = "" if step.drop_points is None else f" ({units.accuracy_change(step.drop_points)})"
    return f"{step.name} {units.ratio(step.speed_up)}{change}"


def _legend(run: Run) -> str:
    changed = (
        "The change is that of top-1, in percentage points"
        if has_labels(run)
        else "The change is that of the agreement with the float model (share of images with the same class), in"
        " percentage points"
    )
    return (
        "Each step compares an artifact with the one it was made from: latency is that of warm runs of both,"
        " interleaved in one process on this host. Steps were measured at different moments, so the total speed-up is"
        f" the product of theirs. {changed}; positive is a gain."
    )
