"""The measurement that the front rests on: its points of all models, timed alternately in rounds of bursts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from edgevit.measure.rounds import RoundEntry, Rounds, RoundSettings, measure_rounds, rounds_for
from edgevit.pipeline.final_round import round_entry
from edgevit.pipeline.plan import BURST_S, COSTS, OTHER_COSTS
from edgevit.results.candidate import Candidate
from edgevit.results.search import Estimate, PointSettings
from edgevit.run.stages import TimedRunner
from edgevit.search.network import Evaluation
from edgevit.search.searched_network import SearchedNetwork


def rounds_seconds(points: Sequence[PointSettings]) -> float:
    """Returns about how long it takes to time points in rounds."""
    once = sum(COSTS.get(point.backend, OTHER_COSTS).start_s + BURST_S for point in points)
    return rounds_for(len(points)) * once


def sharing_executors(networks: Sequence[SearchedNetwork]) -> tuple[tuple[SearchedNetwork, ...], ...]:
    """Returns the models in groups of one executor, which can time their points in the same rounds."""
    groups: dict[int, list[SearchedNetwork]] = {}
    for network in networks:
        groups.setdefault(id(network.context.stages.executor), []).append(network)
    return tuple(map(tuple, groups.values()))


def time_front(
    networks: Sequence[SearchedNetwork], evaluations: Sequence[Evaluation]
) -> tuple[dict[PointSettings, Evaluation], tuple[str, ...]]:
    """Times points of all models in the same rounds.

    Args:
        networks: Models that share an executor.
        evaluations: Their points to time, all of which were measured before.

    Returns:
        The points with the latency of the rounds, and why it is not to be relied on, if so, for each.
    """
    by_name = {network.name: network for network in networks}
    candidates = {each.point: _candidate(by_name[each.point.model], each) for each in evaluations}
    entries = tuple(
        replace(round_entry(by_name[point.model].context, candidate), name=_name(point))
        for point, candidate in candidates.items()
    )
    found = _rounds(networks[0], entries)
    timed, notes = dict[PointSettings, Evaluation](), list[str]()
    for each in evaluations:
        latency = found.latencies.get(_name(each.point))
        if latency is None or each.amounts is None:
            reason = found.failures.get(_name(each.point), "not timed")
            timed[each.point] = replace(each, amounts=None, status="failed", reasons=(*each.reasons, reason))
            continue
        interval = latency.interval_ms
        ms = Estimate(latency.p50_ms, interval.low, interval.high, "measured")
        timed[each.point] = replace(each, amounts=replace(each.amounts, ms=latency.p50_ms), ms=ms)
        if latency.unstable:
            notes.append(f"{_name(each.point)}: latency is not stable: {latency.unstable}")
    return timed, tuple(notes)


def rescaled(
    made: Mapping[PointSettings, Evaluation], timed: Mapping[PointSettings, Evaluation]
) -> dict[PointSettings, Evaluation]:
    """Returns points with all latencies on the scale of the rounds: those that had no part in them by their float model.

    Args:
        made: All points, with the latencies of first measurements, which are ratios to the dense float model of the same runtime.
        timed: Those that were timed in rounds, among them dense float models.
    """
    scales = {
        (point.model, point.backend): each.amounts.ms / before.ms
        for point, each in timed.items()
        if not point.changes and each.amounts and each.amounts.ms and (before := made[point].amounts) and before.ms
    }
    return {
        point: timed[point] if point in timed else _scaled(each, scales.get((point.model, point.backend), 1.0))
        for point, each in made.items()
    }


def _scaled(each: Evaluation, scale: float) -> Evaluation:
    if each.amounts is None or each.amounts.ms is None or each.ms is None:
        return each
    ms = Estimate(scale * each.ms.value, scale * each.ms.low, scale * each.ms.high, each.ms.source)
    return replace(each, amounts=replace(each.amounts, ms=ms.value), ms=ms)


def _rounds(network: SearchedNetwork, entries: tuple[RoundEntry, ...]) -> Rounds:
    stages, spec = network.context.stages, network.spec
    settings = RoundSettings(
        threads=spec.measure.threads, rounds=rounds_for(len(entries)), at_once=stages.executor.jobs, seed=spec.seed
    )
    digest = hashlib.sha256("\n".join(entry.name for entry in entries).encode()).hexdigest()[:8]
    stage = f"time the front in rounds {digest}"

    def measure(run: TimedRunner) -> Rounds:
        return measure_rounds(entries, settings, run, partial(stages.progress.stage, stage))

    return stages.run_timed(stage, "rounds", Rounds, measure)


def _candidate(network: SearchedNetwork, evaluation: Evaluation) -> Candidate:
    return network.maker.candidates[evaluation.point]


def _name(point: PointSettings) -> str:
    return f"{point.model}/{point.id}"
