"""The final round: all usable candidates and their float parents, timed alternately; the choice rests on it."""

from __future__ import annotations

from functools import partial

from edgevit.measure.rounds import RoundEntry, Rounds, RoundSettings, measure_rounds, rounds_for
from edgevit.pipeline.choose import mark_failed, rank_by_rounds
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.tasks import artifact_files
from edgevit.results.candidate import Candidate
from edgevit.run.stages import TimedRunner
from edgevit.spec.schemes import SCHEMES

STAGE = "time all candidates in rounds"


def time_in_rounds(context: RunContext, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Times what may be chosen, and what it is compared with, and judges candidates again by that.

    A quick run rests on the first measurements and has no final round.

    Args:
        context: The run.
        candidates: All of the run; those that were not measured have no part in it.

    Returns:
        All of them, in the same order.
    """
    if context.inputs.spec.quick:
        return candidates
    entries = tuple(round_entry(context, candidate) for candidate in candidates if takes_part(candidate, candidates))
    if not entries:
        return candidates
    spec, stages = context.inputs.spec, context.stages
    settings = RoundSettings(
        threads=spec.measure.threads,
        rounds=rounds_for(len(entries)),
        at_once=stages.executor.at_once,
        seed=spec.seed,
    )

    def measure(run: TimedRunner) -> Rounds:
        return measure_rounds(entries, settings, run, partial(stages.progress.stage, STAGE))

    found = stages.run_timed(STAGE, "rounds", Rounds, measure)
    ranked = rank_by_rounds(candidates, found.latencies, context.limits)
    return tuple(
        mark_failed(candidate, found.failures[candidate.id]) if candidate.id in found.failures else candidate
        for candidate in ranked
    )


def takes_part(candidate: Candidate, candidates: tuple[Candidate, ...]) -> bool:
    """Returns whether a candidate was measured, and may be chosen, or is the parent of one that may be."""
    if candidate.p50_ms is None or candidate.status == "failed":
        return False
    return candidate.status == "ok" or any(c.parent == candidate.id and c.status == "ok" for c in candidates)


def round_entry(context: RunContext, candidate: Candidate) -> RoundEntry:
    """Returns a candidate that was measured as rounds take it, with its artifact in the folder of the run."""
    assert candidate.artifact is not None  # it was measured
    artifact = context.stages.folder.path / candidate.artifact.path
    precision = SCHEMES[candidate.scheme].precision
    return RoundEntry(candidate.id, candidate.backend, artifact, precision, artifact_files(artifact))
