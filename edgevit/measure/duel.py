"""Compares the latency of two artifacts, run in turn in one process.

Absolute latencies drift by a tenth within a minute, and more where other work goes on; run in turn (A B A B …), both
sides see the same drift. The ratio of the fastest runs repeats to a fraction of a percent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends import Session, get_backend
from edgevit.isolate import report_progress
from edgevit.measure.bench import noise_feeds

PAIRS = 100
WARMUP_PAIRS = 10


@dataclass(frozen=True)
class DuelJob:
    """Two artifacts of one backend."""

    backend: str
    first: Path
    first_precision: str
    second: Path
    second_precision: str
    threads: int
    pairs: int = PAIRS


@dataclass(frozen=True)
class Duel:
    """Fastest run of each, in milliseconds."""

    first_ms: float
    second_ms: float
    pairs: int

    @property
    def speed_up(self) -> float:
        """How many times faster the second one is."""
        return self.first_ms / self.second_ms


def duel(job: DuelJob) -> Duel:
    """Loads both artifacts and runs them in turn."""
    backend = get_backend(job.backend)
    return interleaved(
        backend.open_session(job.first, job.threads, job.first_precision),
        backend.open_session(job.second, job.threads, job.second_precision),
        job.pairs,
    )


def interleaved(first: Session, second: Session, pairs: int = PAIRS) -> Duel:
    """Runs two sessions in turn, each on noise of its own input's type."""
    calls = [_call(session) for session in (first, second)]
    for call in calls * WARMUP_PAIRS:
        call()
    samples: list[list[float]] = [[], []]
    for done in range(pairs):
        for call, times in zip(calls, samples, strict=True):
            begin = time.perf_counter_ns()
            call()
            times.append((time.perf_counter_ns() - begin) / 1e6)
        if done % 10 == 9:
            report_progress(done + 1, pairs)
    return Duel(min(samples[0]), min(samples[1]), pairs)


def _call(session: Session) -> Callable[[], object]:
    feeds = noise_feeds(np.random.default_rng(0), session)
    return lambda: session.run(feeds)
