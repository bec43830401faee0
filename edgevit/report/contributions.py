"""What each step on the way to an artifact contributed, the same for the report and for the terminal."""

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
    """Returns how many times faster all steps together made it: the product, for each was timed at a moment of its own."""
    return math.prod(step.speed_up for step in steps)


def total_drop_points(steps: Sequence[Contribution]) -> float | None:
    """Returns the percentage points that all steps together lost; None where those of a step are not known."""
    known = [step.drop_points for step in steps if step.drop_points is not None]
    return math.fsum(known) if len(known) == len(steps) else None


def macs_change(steps: Sequence[Contribution]) -> str:
    """Returns the MACs before the first and after the last of some steps."""
    return f"{units.count(steps[0].macs_before)} → {units.count(steps[-1].macs_after)}"


def ms_change(step: Contribution) -> str:
    """Returns the milliseconds before and after a step."""
    return f"{units.milliseconds(step.ms_before).removesuffix(' ms')} → {units.milliseconds(step.ms_after)}"


def contribution_lines(candidate: Candidate) -> list[str]:
    """Returns what led to a candidate in plain text: a line for all together, then one per step; none without steps."""
    steps = candidate.contributions
    if not steps:
        return []
    number = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    total = ", ".join((f"{units.ratio(total_speed_up(steps))} the speed", *_lost(total_drop_points(steps))))
    return [f"{candidate.id}, {number} from the dense float candidate: {total}", *map(_line, steps)]


def _line(step: Contribution) -> str:
    changes = (f"{macs_change((step,))} MACs", f"{ms_change(step)} ({units.ratio(step.speed_up)})")
    return f"{step.name} {_brief(step)}: {', '.join((*changes, *_lost(step.drop_points)))}"


def _lost(points: float | None) -> tuple[str, ...]:
    return () if points is None else (units.points(points),)


def _brief(step: Contribution) -> str:
    """The plan or scheme, without how it was carried out."""
    return re.split(r": | \(", step.settings, maxsplit=1)[0]


def contributions_section(run: Run) -> str:
    """Returns the section of the report; "" where no usable candidate has anything to show."""
    chosen = run.chosen
    others = [
        candidate
        for candidate in run.candidates
        if candidate.id != run.selected and candidate.status == "ok" and len(candidate.contributions) > 1
    ]
    parts = []
    if chosen and chosen.contributions:
        start = f"From the dense float candidate of {code(chosen.backend)} to {code(chosen.id)}, the chosen one:"
        parts += [start, _step_by_step(chosen.contributions)]
    if others:
        parts += [f"{'Other usable' if parts else 'Usable'} candidates of several steps:", _compact(others)]
    return "\n\n".join(("## What each step contributed", *parts, _legend(run))) if parts else ""


def _step_by_step(steps: Sequence[Contribution]) -> str:
    rows = [
        (
            step.name,
            step.settings,
            macs_change((step,)),
            ms_change(step),
            units.ratio(step.speed_up),
            units.points(step.drop_points),
        )
        for step in steps
    ]
    total = (macs_change(steps), "–", units.ratio(total_speed_up(steps)), units.points(total_drop_points(steps)))
    return table(
        ("step", "settings", "MACs", "latency", "speed-up", "lost"), (*rows, ("total", "", *total)), range(2, 6)
    )


def _compact(candidates: Sequence[Candidate]) -> str:
    rows = [
        (
            candidate.id,
            ", then ".join(
                " ".join((step.name, units.ratio(step.speed_up), *_lost(step.drop_points))) for step in steps
            ),
            macs_change(steps),
            units.ratio(total_speed_up(steps)),
            units.points(total_drop_points(steps)),
        )
        for candidate in candidates
        if (steps := candidate.contributions)
    ]
    return table(("candidate", "steps", "MACs", "speed-up", "lost"), rows, range(2, 5))


def _legend(run: Run) -> str:
    lost = (
        "percentage points of top-1"
        if has_labels(run)
        else "more images, in percent, that get another class than from the float model"
    )
    return (
        "Each step is the artifact against the one that it was made from: latency is that of warm runs of both,"
        " in turn in one process on this host. Steps were timed at different moments, so the total speed-up is the product"
        f" of theirs. Lost are {lost}; negative is a gain."
    )
