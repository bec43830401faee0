"""Where the time of an artifact goes on this host: its ops under the runtime's own profiler, beside the latency without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends import get_backend
from edgevit.measure.bench import WARMUP_RUNS, WARMUP_SECONDS, noise_feeds, summarize, time_runs, warm_up
from edgevit.results.op_times import OpTimes

INFERENCES = 50
"""Under the profiler, and as many without it before and after."""


@dataclass(frozen=True)
class OpTimesJob:
    """An artifact to profile."""

    backend: str
    artifact: Path
    threads: int
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""


def time_ops(job: OpTimesJob) -> OpTimes:
    """Measures the time of each op; the latency without the profiler is taken before and after, for machines drift.

    Raises:
        UsageError: the runtime cannot run or profile the file.
    """
    backend = get_backend(job.backend)
    session = backend.open_session(job.artifact, job.threads, job.precision)
    feeds = noise_feeds(np.random.default_rng(0), session)

    def call() -> object:
        return session.run(feeds)

    warm_up(call, WARMUP_RUNS, WARMUP_SECONDS)
    before_ms = time_runs(call, INFERENCES, 0.0)
    layers = backend.op_times(job.artifact, job.threads, job.precision, feeds, INFERENCES)
    latency = summarize(before_ms + time_runs(call, INFERENCES, 0.0))
    return OpTimes(
        backend=job.backend,
        profiler=backend.profiler,
        threads=session.threads,
        precision=session.precision,
        p50_ms=latency.p50,
        fastest_ms=latency.min,
        layers=layers,
    )
