"""Compares the latency of two artifacts whose runs are interleaved in one process.

Absolute latencies drift by 10 % within a minute, and more under load; interleaved, both artifacts see the same drift. They
alternate in bursts of runs, since the first runs of a burst find the other artifact's weights in the processor's caches.
Alternating single runs (A B A B …) would never let a small artifact have warm caches, as it has when deployed, while a
large float parent has cold ones either way: the ratio would be too low. Of each burst the fastest run counts, one with
warm caches and undisturbed; of the bursts the median.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edgevit.backends import Session, get_backend
from edgevit.measure.bench import BenchJob, bench_session, milliseconds, noise_call
from edgevit.results.measurement import Measurement
from edgevit.run.child_process import report_progress

BURST = 5
"""Runs per burst: the first few find cold caches."""


@dataclass(frozen=True)
class PairedLatency:
    """Median over bursts of the fastest run in each, in ms."""

    first_ms: float
    second_ms: float
    bursts: int
    """Number of bursts of each."""

    @property
    def speed_up(self) -> float:
        """Latency of the first over that of the second: above 1 the second is faster."""
        return self.first_ms / self.second_ms


@dataclass(frozen=True)
class BenchWithParentJob:
    """An artifact to measure, and the one that it was made from, of the same backend."""

    bench: BenchJob
    parent: Path
    parent_precision: str
    bursts: int = 5
    """Few, for a first comparison."""


@dataclass(frozen=True)
class BenchWithParent:
    """An artifact measured alone, and compared with the one that it was made from."""

    measurement: Measurement
    compared: PairedLatency
    """The parent is the first."""


def bench_with_parent(job: BenchWithParentJob) -> BenchWithParent:
    """Measures an artifact alone, then interleaved with its parent, which is loaded when the memory has been measured.

    Raises:
        UsageError: the runtime cannot load or run one of the files.
    """
    measurement, session = bench_session(job.bench)
    backend = get_backend(job.bench.backend)
    parent = backend.open_session(job.parent, job.bench.threads, job.parent_precision)
    return BenchWithParent(measurement, interleave(parent, session, job.bursts))


def interleave(first: Session, second: Session, bursts: int) -> PairedLatency:
    """Measures two sessions in alternating bursts, each on noise of its own input's type.

    Args:
        first: Session of one artifact.
        second: Session of the other.
        bursts: Number of measured bursts of each, ≥ 1; one more before them warms up.
    """
    calls = [noise_call(session) for session in (first, second)]
    samples: list[list[float]] = [[], []]
    for burst in range(1 + bursts):
        for call, times in zip(calls, samples, strict=True):
            fastest = min(milliseconds(call) for _ in range(BURST))
            times.extend([fastest] if burst else ())
        report_progress(burst + 1, 1 + bursts)
    return PairedLatency(median(samples[0]), median(samples[1]), len(samples[0]))
