"""What makes it impossible to hold a budget against runs: names that nothing has, and limits that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgevit.errors import closest
from edgevit.gate.budget import Budget
from edgevit.gate.selection import contradictions, matched
from edgevit.results.measurement import HOST
from edgevit.results.run import Run
from edgevit.spec.toml_files import names


def budget_faults(budget: Budget, runs: Sequence[Run], *, has_baseline: bool) -> Iterator[str]:
    """Yields every fault with its path in the budget, for people.

    Args:
        budget: The limits.
        runs: What they are held against.
        has_baseline: Whether there is a run for relative limits.
    """
    limits = [*budget.placed(), *(each for pattern in budget.artifacts for each in budget.placed_for(pattern))]
    known = _devices(runs)
    seen = set()
    for each in limits:
        if each.device is not None and each.device not in known:
            place = each.path.rpartition(".")[0]
            if place not in seen:
                yield f"{place}: unknown device {each.device!r}{_nearest(each.device, known, 'devices')}"
            seen.add(place)
        if each.limit.is_relative and not has_baseline:
            yield f"{each.path}: is relative to a baseline, and none is given: --baseline RUN"
    for pattern in budget.artifacts:
        if not any(matched(run, pattern) for run in runs):
            ids = {candidate.id for run in runs for candidate in run.candidates}
            yield f"artifacts.{pattern}: matches no candidate{_nearest(pattern, ids, 'candidates')}"
    for run in runs:
        yield from contradictions(run, budget)


def _devices(runs: Sequence[Run]) -> set[str]:
    """Devices that are shipped, and those that the runs have."""
    found = {HOST, *names("devices")}
    for run in runs:
        found |= {*run.selected_for}
        for candidate in run.candidates:
            found |= {each.device for each in candidate.measurements} | {each.device for each in candidate.predictions}
    return found


def _nearest(name: str, known: set[str], what: str) -> str:
    near = closest(name, sorted(known))
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(sorted(known))}" if len(known) <= 10 else f"; {len(known)} {what} are known"
