"""The measurement that choice, table and gate rest on: artifacts timed alternately, in rounds of bursts.

Absolute latencies of one process drift by 10 % within a minute, and differ more from one process to the next. Here every
artifact is timed once in each round, in a fresh process, in an order that changes; two artifacts are compared by the ratios
of the same rounds, see :func:`edgevit.results.statistics.paired_ratio`. Processes load their artifacts side by side, which
is most of the time of a burst, and are timed alone. ``docs/latency-protocol.md`` shows how well that repeats.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import TypeAlias

from edgevit.errors import CandidateFailed
from edgevit.measure.burst import Burst, BurstJob, time_burst
from edgevit.measure.conditions import Disturbance, disturbances, instability, joined, not_judged
from edgevit.measure.machine_changes import machine_conditions
from edgevit.measure.machine_watch import joined_spans
from edgevit.results.machine_state import MachineConditions
from edgevit.results.measurement import RoundLatency
from edgevit.results.statistics import median_interval
from edgevit.run.task import Task

MOST_REPEATS = 2
"""Of one burst."""
MOST_REPEATED = 0.3
"""Repeats of all bursts, as a share of their number."""
MOST_WAIT_SECONDS = 1.0
"""Of one burst, for other processes to end or pause."""
MEAN_WAIT_SECONDS = 0.2
"""Of all bursts, as a mean: a machine that never gets quiet is not waited for again and again."""

_FEW_ENTRIES = 4
_NO_ENERGY = "`edgevit bench FILE` measures it, bursts are too short for that"


@dataclass(frozen=True)
class RoundEntry:
    """An artifact that takes part."""

    name: str
    backend: str
    artifact: Path
    precision: str
    """"f32", "bf16" or "fastest"."""
    files: tuple[Path, ...] = ()
    """All of the artifact, as far as this machine has them."""


@dataclass(frozen=True)
class RoundSettings:
    """How much is measured."""

    threads: int = 1
    rounds: int = 6
    """See :func:`rounds_for`."""
    seconds: float = 0.1
    """Of one burst, at least: two processes differ more than the medians of short and long bursts do."""
    min_runs: int = 6
    """Of one burst."""
    batch: int | None = None
    """Images of one run; when None, what a file fixes, or 1 where it leaves it open."""
    at_once: int = 1
    """Processes that load their artifacts side by side, before they are timed one after the other."""
    seed: int = 0
    """Of the order."""


def rounds_for(entries: int) -> int:
    """Returns how many rounds are worth their time, for a number of entries.

    The interval of a median is the widest that the bootstrap gives with six rounds (it covers the median in 97 % of the
    cases), and leaves out an outlier on each side with nine (96 %); with seven or eight it would be too narrow (88 %, 93 %).
    """
    return 9 if entries <= _FEW_ENTRIES else 6


@dataclass(frozen=True)
class Rounds:
    """What came out."""

    latencies: Mapping[str, RoundLatency]
    """By name, of the entries that ran in every round."""
    failures: Mapping[str, str]
    """By name, why an entry did not run."""


InTurn: TypeAlias = Callable[[Sequence[Task[BurstJob, Burst]]], Sequence[Burst | CandidateFailed]]
"""Carries out bursts in fresh processes, one after the other while nothing else runs; gives what each found, or its error.
See :meth:`edgevit.run.executor.Executor.run_in_turn`."""


@dataclass
class _Patience:
    """What may still be spent on disturbed bursts."""

    wait_seconds: float
    repeats: int


def measure_rounds(
    entries: Sequence[RoundEntry],
    settings: RoundSettings,
    run: InTurn,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Rounds:
    """Times artifacts alternately.

    A burst that was disturbed is repeated soon, at most ``MOST_REPEATS`` times; the least disturbed one counts, whatever
    its latency.

    Args:
        entries: What to time, each with a name of its own.
        settings: How much.
        run: Carries out bursts.
        on_progress: Gets the number of bursts done, and of all.
    """
    total = len(entries) * settings.rounds
    patience = _Patience(MEAN_WAIT_SECONDS * total, round(MOST_REPEATED * total))
    bursts: dict[str, list[Burst]] = {entry.name: [] for entry in entries}
    repeats: Counter[str] = Counter()
    failures: dict[str, str] = {}
    done = 0
    for groups in round_groups(len(entries), settings):
        for places in groups:
            group = [entry for entry in map(entries.__getitem__, places) if entry.name not in failures]
            for entry, tried in zip(group, _time_group(group, settings, run, patience), strict=True):
                if isinstance(tried, CandidateFailed):
                    failures[entry.name] = tried.message
                else:
                    bursts[entry.name].append(min(tried, key=functools.partial(_disturbed, threads=settings.threads)))
                    repeats[entry.name] += len(tried) - 1
            done += len(places)
            on_progress(done, total)
    clocks = [burst.activity.clock_mhz for found in bursts.values() for burst in found if burst.activity.clock_mhz]
    highest_clock_mhz = max(clocks, default=None)
    latencies = {
        name: _latency(found, repeats[name], settings.threads, highest_clock_mhz)
        for name, found in bursts.items()
        if name not in failures
    }
    return Rounds(latencies, failures)


def round_groups(count: int, settings: RoundSettings) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Returns the order of each round, in groups that load side by side.

    Each second round is the one before it backwards, in its groups too, so that a drift and the place in a group cancel.

    Args:
        count: Entries.
        settings: Rounds, size of a group, and seed.
    """
    random = Random(settings.seed)
    rounds: list[tuple[tuple[int, ...], ...]] = []
    for number in range(settings.rounds):
        if number % 2:
            rounds.append(tuple(group[::-1] for group in rounds[-1][::-1]))
        else:
            order = tuple(random.sample(range(count), count))
            begins = range(0, count, settings.at_once)
            rounds.append(tuple(order[begin : begin + settings.at_once] for begin in begins))
    return tuple(rounds)


def _time_group(
    group: Sequence[RoundEntry], settings: RoundSettings, run: InTurn, patience: _Patience
) -> list[list[Burst] | CandidateFailed]:
    """Times each entry until a burst is undisturbed, or the patience with this entry or with all of them ends."""
    tried: list[list[Burst]] = [[] for _ in group]
    failed: dict[int, CandidateFailed] = {}
    places = list(range(len(group)))
    while places:
        wait_seconds = min(MOST_WAIT_SECONDS, max(0.0, patience.wait_seconds) / len(places))
        disturbed = []
        found = run([_task(group[place], settings, wait_seconds) for place in places])
        for place, burst in zip(places, found, strict=True):
            if isinstance(burst, CandidateFailed):
                failed[place] = burst
                continue
            tried[place].append(burst)
            patience.wait_seconds -= burst.waited_seconds
            if _judge(burst, settings.threads) and len(tried[place]) <= MOST_REPEATS and patience.repeats > 0:
                patience.repeats -= 1
                disturbed.append(place)
        places = disturbed
    return [failed.get(place, bursts) for place, bursts in enumerate(tried)]


def _task(entry: RoundEntry, settings: RoundSettings, most_wait_seconds: float) -> Task[BurstJob, Burst]:
    job = BurstJob(
        backend=entry.backend,
        artifact=entry.artifact,
        precision=entry.precision,
        threads=settings.threads,
        seconds=settings.seconds,
        min_runs=settings.min_runs,
        most_wait_seconds=most_wait_seconds,
        batch=settings.batch,
    )
    return Task(time_burst, job, Burst, inputs=entry.files, timing=True)


def _judge(burst: Burst, threads: int, highest_clock_mhz: float | None = None) -> tuple[Disturbance, ...]:
    return disturbances(burst.activity, threads, burst.cores, highest_clock_mhz)


def _disturbed(burst: Burst, threads: int) -> tuple[int, float]:
    """Orders bursts by how much they were disturbed."""
    activity = burst.activity
    return len(_judge(burst, threads)), (activity.other_cores or 0.0) + (activity.steal_share or 0.0)


def _latency(bursts: list[Burst], repeats: int, threads: int, highest_clock_mhz: float | None) -> RoundLatency:
    values = tuple(burst.p50_ms for burst in bursts)
    p50_ms, interval_ms = median(values), median_interval(values)
    found = [_judge(burst, threads, highest_clock_mhz) for burst in bursts]
    machine = _machine(bursts)
    reasons = (instability(found, p50_ms, interval_ms), *(machine.throttled if machine else ()))
    return RoundLatency(
        p50_ms=p50_ms,
        interval_ms=interval_ms,
        bursts_ms=values,
        repeated_bursts=repeats,
        unstable="; ".join(filter(None, reasons)),
        not_judged=not_judged(bursts[0].activity, machine.after.unknown if machine else ()),
        batch=bursts[0].batch,
        machine=machine,
        emulated=bursts[0].emulated,
    )


def _machine(bursts: list[Burst]) -> MachineConditions | None:
    """The machine while these bursts ran; None where they do not tell of it."""
    spans = [burst.span for burst in bursts if burst.span]
    if not spans:
        return None
    other_cores = joined([burst.activity for burst in bursts]).other_cores
    return machine_conditions(bursts[0].cpu, joined_spans(spans), other_cores, None, _NO_ENERGY)
