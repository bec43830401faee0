"""Which candidates of a run a budget is held against, with the limits for each."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from edgevit.gate.budget import Budget, PlacedLimit
from edgevit.results.candidate import Candidate
from edgevit.results.run import Run


def judged_candidates(
    run: Run, budget: Budget, first: Candidate | None
) -> Iterator[tuple[Candidate, tuple[PlacedLimit, ...]]]:
    """Yields candidates with the limits that hold for each.

    The limits at the top of a budget hold for the first one alone. Those of ``[artifacts."PATTERN"]`` hold for every candidate
    that the pattern matches, and for the first one in place of the same limits at the top.

    Args:
        run: The run.
        budget: The limits.
        first: The chosen candidate, or the one that the user named; None without one.
    """
    for candidate in sorted(run.candidates, key=lambda each: each is not first):
        limits = {(each.key, each.device): each for each in budget.placed()} if candidate is first else {}
        for pattern in budget.artifacts:
            if any(each is candidate for each in matched(run, pattern)):
                limits |= {(each.key, each.device): each for each in budget.placed_for(pattern)}
        if limits:
            yield candidate, tuple(limits.values())


def matched(run: Run, pattern: str) -> tuple[Candidate, ...]:
    """Returns the candidates whose id or file a pattern matches.

    With * or ? in it, those that were rejected or failed are left out, unless it matches nothing else; then each of them fails.

    Args:
        run: The run.
        pattern: Of ids or of files relative to the run folder, as in a shell: ``*`` for any part, ``?`` for one character.
    """
    found = [
        each
        for each in run.candidates
        if fnmatchcase(each.id, pattern) or (each.artifact and fnmatchcase(each.artifact.path, pattern))
    ]
    usable = [
        each for each in found if each.status == "ok" or pattern in (each.id, each.artifact and each.artifact.path)
    ]
    return tuple(usable or found)


def contradictions(run: Run, budget: Budget) -> Iterator[str]:
    """Yields limits of two patterns that match one candidate and differ, for people."""
    for candidate in run.candidates:
        seen: dict[tuple[str, str | None], PlacedLimit] = {}
        for pattern in budget.artifacts:
            if not any(each is candidate for each in matched(run, pattern)):
                continue
            for limit in budget.placed_for(pattern):
                other = seen.setdefault((limit.key, limit.device), limit)
                if other.limit != limit.limit:
                    yield f"{limit.path}: contradicts {other.path}, for both match {candidate.id}"
