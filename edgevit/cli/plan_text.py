"""What a run is going to make, in words: its first line, and what ``--dry-run`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit import units

if TYPE_CHECKING:
    from edgevit.run.progress import RunPlan


def plan_line(plan: RunPlan) -> str:
    """Returns what a run is going to make and about how long it takes, in one line."""
    more = f"; more with {' and '.join(plan.may_add)}" if plan.may_add else ""
    return (
        f"will make {_counted(len(plan.candidates), 'candidate')} in {_counted(plan.stage_count, 'stage')}:"
        f" about {units.rough_seconds(plan.seconds)} on this machine{more}"
    )


def plan_lines(plan: RunPlan) -> tuple[str, ...]:
    """Returns the lines that ``--dry-run`` prints: each candidate, the stages by kind, and how long all of it takes."""
    candidates = (f"  {candidate}" for candidate in plan.candidates)
    stages = (
        f"  {stages.kind}: {_times(stages.count)} about {units.rough_seconds(stages.seconds)}"
        + (", alone" if stages.alone else "")
        for stages in plan.stages
    )
    beside = f"stages, {plan.jobs} at a time:" if plan.jobs > 1 else "stages, one at a time:"
    return ("candidates:", *candidates, beside, *stages, plan_line(plan))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _times(number: int) -> str:
    return f"{number} ×"
