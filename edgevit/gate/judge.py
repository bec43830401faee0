"""Judges candidates of a run against a budget. Pure, and fails closed: a value that is not known never passes."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

from edgevit.errors import unknown_name
from edgevit.gate.bounds import check_bounds, check_changes
from edgevit.gate.budget import Budget, PlacedLimit
from edgevit.gate.metrics import METRICS, readings
from edgevit.gate.reading import Reading, Subject, missing
from edgevit.gate.selection import judged_candidates
from edgevit.gate.verdict import Check, Level, Operator, Verdict
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Host
from edgevit.results.ranking import find_candidate
from edgevit.results.run import Run


def decide(run: Run, budget: Budget, candidate: str | None = None, baseline: Run | None = None) -> Verdict:
    """Judges a candidate, and those that the budget names, and returns its id with the checks of all of them.

    Args:
        run: The run.
        budget: The limits.
        candidate: Id or rank; the selected one when None.
        baseline: What relative limits are held against; see :func:`verdicts`.

    Raises:
        UsageError: it is not in the run.
    """
    made = verdicts(run, budget, candidate, baseline)
    name = None if candidate is None else find_candidate(run.candidates, candidate).id
    return Verdict(name or run.selected, tuple(check for verdict in made for check in verdict.checks))


def judge(run: Run, budget: Budget, candidate_id: str | None = None) -> tuple[Check, ...]:
    """Tests every limit of a budget on one candidate of a run, and on those that the budget names.

    Args:
        run: The run.
        budget: The limits.
        candidate_id: Which candidate; the selected one when not given.

    Raises:
        UsageError: ``candidate_id`` is not in the run.
    """
    known = {candidate.id: candidate for candidate in run.candidates}
    if candidate_id is not None and candidate_id not in known:
        raise unknown_name("candidate", candidate_id, known)
    return decide(run, budget, candidate_id).checks


def verdicts(
    run: Run, budget: Budget, candidate: str | None = None, baseline: Run | None = None
) -> tuple[Verdict, ...]:
    """Judges a candidate of a run, then the others that the budget names, each by itself.

    A value that is missing, not finite or impossible is a failed check with a reason, not an error. Where a device was
    measured, predictions for it are not used. Where it has several values (thread counts, compute units), each is a
    check of its own, so that the best does not hide the others.

    Args:
        run: The run.
        budget: The limits.
        candidate: Id or rank; the selected one when None.
        baseline: What relative limits are held against: its chosen candidate for the chosen one, else that of the same id.

    Raises:
        UsageError: ``candidate`` is not in the run.
    """
    first = find_candidate(run.candidates, candidate).id if candidate is not None else run.selected
    known = {each.id: each for each in run.candidates}
    made = []
    if first not in known:
        reason = f"the selected {first} is not in the run" if first else "the run selected no candidate"
        if budget.placed():
            made.append(
                Verdict(first, tuple(replace(_failed(each, reason), candidate=first) for each in budget.placed()))
            )
    for chosen, limits in judged_candidates(run, budget, known.get(first or "")):
        subject = Subject(run, chosen)
        before = _baseline(subject, baseline)
        checks = [check for limit in limits for check in _judge(limit, subject, before)]
        named = tuple(replace(each, candidate=chosen.id) for each in (*_usable(chosen), *checks))
        made.append(Verdict(chosen.id, named, unstable=chosen.not_stable))
    return tuple(made)


def _usable(candidate: Candidate) -> tuple[Check, ...]:
    """A failed check if the candidate is not ok or not verified in the run, else nothing."""
    verification = candidate.verification
    if candidate.status != "ok":
        reason = f"{candidate.id} was {candidate.status}: {'; '.join(candidate.reasons) or 'no reason recorded'}"
    elif verification is None or verification.samples < 1:
        reason = f"{candidate.id} was not verified against the model it came from"
    elif not verification.passed:
        reason = f"{candidate.id} did not pass verification against {verification.reference}"
    elif verification.top1_agreement is not None and not 0 <= verification.top1_agreement <= 1:
        reason = f"{candidate.id} has a top-1 agreement of {verification.top1_agreement}, which is no share of images"
    else:
        return ()
    return (Check("candidate", None, "is", None, None, "", "run", "fail", reason),)


def _baseline(subject: Subject, baseline: Run | None) -> Subject | None:
    """What a candidate is compared with: the chosen one of the baseline where it is the chosen one, else that of its id."""
    if baseline is None:
        return None
    wanted = baseline.selected if subject.candidate.id == subject.run.selected else subject.candidate.id
    found = next((each for each in baseline.candidates if each.id == wanted), None)
    return Subject(baseline, found) if found else None


def _judge(placed: PlacedLimit, subject: Subject, baseline: Subject | None) -> list[Check]:
    """Tests one limit on every value of its metric."""
    before: tuple[Reading, ...] = ()
    if placed.limit.is_relative and baseline is not None:
        before = readings(placed.key, baseline, placed.device)
    checks: list[Check] = []
    for number, reading in enumerate(readings(placed.key, subject, placed.device)):
        usable = _usable_reading(reading, placed, subject.run)
        other = _counterpart(usable, before, number)
        if baseline is not None and usable.source == "measured" and placed.device == HOST:
            other = _on_the_same_machine(other, subject.run.host, baseline.run.host)
        checks += _judge_reading(placed, usable, other)
    title, level = METRICS[placed.key].title, _level(placed)
    return [
        replace(check, metric=title, level=level, key=placed.path, device=check.device or placed.device)
        for check in checks
    ]


def _judge_reading(placed: PlacedLimit, reading: Reading, before: Reading) -> list[Check]:
    title, limit = METRICS[placed.key].title, placed.limit
    if reading.problem:
        return [replace(_failed(placed, reading.problem), unit=reading.unit, device=reading.device)]
    if reading.undecided:
        check = replace(_failed(placed, reading.undecided), verdict="inconclusive", source=reading.source)
        return [replace(check, device=reading.device)]
    checks = list(check_bounds(title, limit, reading))
    if limit.is_relative:
        reason = before.problem or before.undecided
        checks += (
            [_failed(placed, f"the baseline: {reason}")] if reason else check_changes(title, limit, reading, before)
        )
    return checks


def _usable_reading(reading: Reading, placed: PlacedLimit, run: Run) -> Reading:
    """A value, or why it is no answer to a limit: it is predicted, or measured on another processor than the limit is for."""
    if placed.limit.source == "measured" and reading.source == "predicted":
        return missing(reading.unit, "the limit asks for a measurement, and there is only a prediction", reading.device)
    if placed.cpu and reading.source == "measured" and not fnmatchcase(run.host.cpu, placed.cpu):
        return missing(reading.unit, f"measured on {run.host.cpu}; the limit is for {placed.cpu}", reading.device)
    return reading


def _counterpart(reading: Reading, before: tuple[Reading, ...], number: int) -> Reading:
    """The value of the baseline that is of the same device and unit, or of the same words or place where there are several."""
    same = [each for each in before if each.device == reading.device]
    if len(same) > 1:
        same = [each for each in same if each.words == reading.words]
    found = same[0] if len(same) == 1 else before[number] if number < len(before) else None
    if found is None:
        return missing(reading.unit, "it has no such candidate or value")
    if not found.problem and not found.undecided and (found.source, found.unit) != (reading.source, reading.unit):
        return missing(reading.unit, f"its value is {found.source}, this one {reading.source}")
    return found


def _on_the_same_machine(before: Reading, here: Host, there: Host) -> Reading:
    """The value of the baseline, or why it does not compare: it was measured on another machine."""
    for name in ("cpu", "cores", "threads", "governor"):
        own, other = getattr(here, name), getattr(there, name)
        if own != other:
            return missing(before.unit, f"measured on another machine: its {name} is {other}, here {own}")
    return before


def _level(placed: PlacedLimit) -> Level:
    return "warn" if placed.limit.level == "warn" else "error"


def _failed(placed: PlacedLimit, reason: str) -> Check:
    """The failed check of a limit that there is nothing to hold against."""
    metric, limit = METRICS[placed.key], placed.limit
    operator: Operator = ">=" if limit.max is None and limit.max_increase is None else "<="
    bound = limit.min if limit.max is None else limit.max
    return Check(
        metric.title, placed.device, operator, bound, None, metric.unit, "none", "fail", reason,
        level=_level(placed), key=placed.path,
    )  # fmt: skip
