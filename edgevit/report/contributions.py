"""What each step on the way to an artifact contributed; the same for the report and for the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgevit import units
from edgevit.report.markdown_text import code, table
from edgevit.report.metric import judge_title, judge_unit, metric_of
from edgevit.report.table import has_final_round, has_labels
from edgevit.results.candidate import Candidate, Contribution
from edgevit.results.ranking import compare_speed
from edgevit.results.run import Run


@dataclass(frozen=True)
class Step:
    """A step from one candidate to another."""

    recorded: Contribution
    """As it was compared first."""
    ms_before: float
    ms_after: float
    speed_up: float
    timed: bool
    """Whether latencies and speed-up are those of the final round."""


def steps_of(run: Run, candidate: Candidate) -> tuple[Step, ...]:
    """Returns the steps from the dense float candidate to another, by the final round as far as it had part in it."""
    chain = _chain(run, candidate)
    if len(chain) != len(candidate.contributions) + 1:
        return tuple(_as_recorded(step) for step in candidate.contributions)
    return tuple(_step(step, *pair) for step, pair in zip(candidate.contributions, pairwise(chain), strict=True))


def _chain(run: Run, candidate: Candidate) -> list[Candidate]:
    """The candidates from the dense float one to this one, as far as they are known."""
    known, chain = {other.id: other for other in run.candidates}, [candidate]
    while (parent := known.get(chain[0].parent or "")) and parent not in chain:
        chain.insert(0, parent)
    return chain


def _step(recorded: Contribution, before: Candidate, after: Candidate) -> Step:
    ratio = compare_speed(after, before)
    if ratio is None or before.p50_ms is None or after.p50_ms is None:
        return _as_recorded(recorded)
    return Step(recorded, before.p50_ms, after.p50_ms, ratio.median, timed=True)


def _as_recorded(step: Contribution) -> Step:
    return Step(step, step.ms_before, step.ms_after, step.speed_up, timed=False)


def total_speed_up(run: Run, candidate: Candidate) -> float:
    """Returns how many times faster all steps made it: in the same rounds, else the product of the steps."""
    dense = _chain(run, candidate)[0]
    ratio = compare_speed(candidate, dense) if dense is not candidate else None
    steps = steps_of(run, candidate)
    return ratio.median if ratio and all(step.timed for step in steps) else math.prod(step.speed_up for step in steps)


def total_drop_points(steps: Sequence[Step]) -> float | None:
    """Returns the drop of all steps together, in the unit of theirs; None where that of a step is not known."""
    known = [step.recorded.drop_points for step in steps if step.recorded.drop_points is not None]
    return math.fsum(known) if len(known) == len(steps) else None


def macs_change(steps: Sequence[Step]) -> str:
    """Returns the MACs before the first and after the last of some steps, as "1.25 G → 700.00 M"."""
    return f"{units.count(steps[0].recorded.macs_before)} → {units.count(steps[-1].recorded.macs_after)}"


def ms_change(step: Step) -> str:
    """Returns the latency before and after a step, as "12.2 → 8.20 ms"."""
    return f"{units.milliseconds(step.ms_before).removesuffix(' ms')} → {units.milliseconds(step.ms_after)}"


def contribution_lines(run: Run, candidate: Candidate) -> list[str]:
    """Returns what led to a candidate in plain text: a line for all together, then one per step; none without steps."""
    steps = steps_of(run, candidate)
    if not steps:
        return []
    number = "1 step" if len(steps) == 1 else f"{len(steps)} steps"
    faster = f"{units.ratio(total_speed_up(run, candidate))} the speed on this host"
    total = ", ".join((faster, *_change(run, total_drop_points(steps))))
    return [
        f"{candidate.id}, {number} from the dense float candidate: {total}",
        *(_line(run, step) for step in steps),
    ]


def _label(run: Run, step: Step) -> str:
    """Says where a step is not from the final round, in a run that has one."""
    return " in the first comparison" if has_final_round(run) and not step.timed else ""


def _line(run: Run, step: Step) -> str:
    faster = f"{units.ratio(step.speed_up)}{_label(run, step)}"
    changes = (f"{macs_change((step,))} MACs", f"{ms_change(step)} ({faster})")
    words = f"{step.recorded.name} {_brief(step.recorded)}"
    return f"{words}: {', '.join((*changes, *_change(run, step.recorded.drop_points)))}"


def _change(run: Run, drop: float | None) -> tuple[str, ...]:
    return () if drop is None else (f"{judge_title(run)} {units.metric_change(drop, judge_unit(run))}",)


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
    what = judge_title(run)
    parts = []
    if chosen and chosen.contributions:
        start = f"From the dense float candidate of {code(chosen.backend)} to the chosen {code(chosen.id)}:"
        parts += [start, _step_by_step(run, chosen, what)]
    if others:
        parts += [f"{'Other usable' if parts else 'Usable'} candidates of several steps:", _compact(run, others, what)]
    return "\n\n".join(("## What each step contributed", *parts, _legend(run))) if parts else ""


def _step_by_step(run: Run, candidate: Candidate, what: str) -> str:
    steps = steps_of(run, candidate)
    rows = [
        (
            step.recorded.name,
            step.recorded.settings,
            macs_change((step,)),
            ms_change(step),
            f"{units.ratio(step.speed_up)}{_label(run, step)}",
            units.metric_change(step.recorded.drop_points, judge_unit(run)),
        )
        for step in steps
    ]
    total = (
        macs_change(steps),
        "–",
        units.ratio(total_speed_up(run, candidate)),
        units.metric_change(total_drop_points(steps), judge_unit(run)),
    )
    titles = ("step", "settings", "MACs", "latency", "speed-up", f"{what} change")
    return table(titles, (*rows, ("total", "", *total)), range(2, 6))


def _compact(run: Run, candidates: Sequence[Candidate], what: str) -> str:
    rows = [
        (
            candidate.id,
            ", then ".join(_in_short(run, step) for step in steps),
            macs_change(steps),
            units.ratio(total_speed_up(run, candidate)),
            units.metric_change(total_drop_points(steps), judge_unit(run)),
        )
        for candidate in candidates
        if (steps := steps_of(run, candidate))
    ]
    return table(("candidate", "steps", "MACs", "speed-up", f"{what} change"), rows, range(2, 5))


def _in_short(run: Run, step: Step) -> str:
    drop_points = step.recorded.drop_points
    change = "" if drop_points is None else f" ({units.metric_change(drop_points, judge_unit(run))})"
    return f"{step.recorded.name} {units.ratio(step.speed_up)}{_label(run, step)}{change}"


def _legend(run: Run) -> str:
    metric = metric_of(run)
    changed = (
        f"The change is that of {metric.title}"
        if metric
        else "The change is that of top-1, in percentage points"
        if has_labels(run)
        else "The change is that of the agreement with the float model (share of images with the same class), in"
        " percentage points"
    )
    how = (
        "latency is that of the final round on this host, and the speed-up the median of the paired ratios of its rounds,"
        " also in total; steps outside the round are marked as first compared"
        if has_final_round(run)
        else "latency is that of warm runs of both, interleaved in one process on this host. Steps were measured at"
        " different moments, so the total speed-up is the product of theirs"
    )
    return f"Each step compares an artifact with the one it was made from: {how}. {changed}; positive is a gain."
