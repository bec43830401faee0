"""Holds a budget against runs that are read from files, and finds every fault of the files first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.gate.budget import Budget, load_budget
from edgevit.gate.faults import budget_faults
from edgevit.gate.files import FilesFound, find_files
from edgevit.gate.judge import verdicts
from edgevit.gate.verdict import GateResult, Verdict
from edgevit.results.run import Run, load_run

_MOST_FAULTS = 8
"""That a message lists."""


@dataclass(frozen=True)
class GateRequest:
    """What to judge by what."""

    runs: tuple[Path, ...]
    """Folders of runs, or their ``run.json``; at least one."""
    budget: Path
    baseline: Path | None = None
    """The run that relative limits are held against."""
    candidate: str | None = None
    """Id or rank of the candidate of each run; the chosen one when None."""
    require_artifacts: bool = False
    """Whether it fails where the files of an artifact are not beside ``run.json``."""


def gate_runs(request: GateRequest) -> GateResult:
    """Judges runs by a budget. Reads the budget, the runs, and the files of the judged artifacts, and nothing else.

    Args:
        request: What to judge by what.

    Raises:
        UsageError: a file cannot be read, a run was edited, or the budget names what nothing has; every fault is told.
    """
    budget = load_budget(request.budget)
    runs, baseline = _load(request)
    faults = [f"{request.budget}: {fault}" for fault in budget_faults(budget, runs, has_baseline=baseline is not None)]
    made: list[Verdict] = []
    for path, run in zip(request.runs, runs, strict=True):
        judged = verdicts(run, budget, request.candidate, baseline)
        found = [with_files(each, run, required=request.require_artifacts) for each in judged]
        faults += [f"{path}: {each.fault}" for _, each in found if each.fault]
        made += [replace(verdict, run=str(path), quick=run.is_quick) for verdict, _ in found]
    refuse(
        faults, "correct the budget, or give the run that it is for; a run whose files were edited has to be made again"
    )
    return GateResult(tuple(made), str(request.budget), str(request.baseline or ""))


def check_run(run: Run, budget: Budget, candidate: str | None, baseline: Run | None) -> Verdict:
    """Judges a run that is at hand, and returns the verdict on its candidate with the checks of all that the budget names.

    Args:
        run: The run.
        budget: The limits.
        candidate: Id or rank; the chosen one when None.
        baseline: What relative limits are held against.

    Raises:
        UsageError: the files of an artifact were edited, or the budget names what nothing has; every fault is told.
    """
    faults = list(budget_faults(budget, (run,), has_baseline=baseline is not None))
    found = [with_files(each, run, required=False) for each in verdicts(run, budget, candidate, baseline)]
    refuse([*faults, *(each.fault for _, each in found if each.fault)], "correct the budget, or make the run again")
    checks = tuple(check for verdict, _ in found for check in verdict.checks)
    first = found[0][0] if found else Verdict(run.selected, ())
    return replace(first, checks=checks)


def with_files(verdict: Verdict, run: Run, *, required: bool) -> tuple[Verdict, FilesFound]:
    """Adds to a verdict what is known of the artifact's files, which is also returned by itself.

    Args:
        verdict: Of a candidate of ``run``.
        run: The run.
        required: Whether it fails where the files are not there.
    """
    if run.folder is None:
        return verdict, FilesFound()
    candidate = next((each for each in run.candidates if each.id == verdict.candidate), None)
    found = find_files(candidate, run.folder, required=required)
    checks = tuple(replace(check, candidate=verdict.candidate) for check in found.checks)
    return replace(verdict, checks=(*verdict.checks, *checks), note=found.note), found


def refuse(faults: Sequence[str], hint: str) -> None:
    """Refuses to go on where there are faults.

    Raises:
        UsageError: lists them.
    """
    if len(faults) == 1:
        raise UsageError(faults[0], hint)
    if faults:
        more = [f"and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
        raise UsageError("\n  ".join((f"{len(faults)} faults:", *faults[:_MOST_FAULTS], *more)), hint)


def _load(request: GateRequest) -> tuple[list[Run], Run | None]:
    """Loads all runs, or tells the faults of all that cannot be."""
    paths = [*request.runs, *([request.baseline] if request.baseline else [])]
    loaded: list[Run] = []
    errors: list[UsageError] = []
    for path in paths:
        try:
            loaded.append(load_run(path))
        except UsageError as error:
            errors.append(error)
    if errors:
        raise UsageError("\n".join(error.message for error in errors), errors[0].hint)
    return (loaded[:-1], loaded[-1]) if request.baseline else (loaded, None)
