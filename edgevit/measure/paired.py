"""Compares the latency of two artifacts that take turns in one process.

Absolute latencies drift by a tenth within a minute, and more where other work goes on; taking turns, both sides see the
same drift. A turn is a burst of runs, for each artifact finds the other's weights in the processor's caches at first. Run
one by one (A B A B …), a small artifact would never have them warm, as it has on its own, while a large float parent has
them cold either way: the ratio would be too low. Of each turn the fastest run counts, which is one with warm caches that
nothing disturbed; of the turns the median.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edgevit.backends import Session, get_backend
from edgevit.measure.bench import milliseconds, noise_call
from edgevit.run.child_process import report_progress

BURSTS = 10
"""Turns of each artifact."""
BURST = 10
"""Runs of one turn."""


@dataclass(frozen=True)
class PairedLatencyJob:
    """Two artifacts of one backend."""

    backend: str
    first: Path
    first_precision: str
    second: Path
    second_precision: str
    threads: int
    bursts: int = BURSTS


@dataclass(frozen=True)
class PairedLatency:
    """Median over turns of the fastest run of each, in milliseconds."""

    first_ms: float
    second_ms: float
    turns: int
    """Of each."""

    @property
    def speed_up(self) -> float:
        """How many times faster the second one is."""
        return self.first_ms / self.second_ms


def paired_latency(job: PairedLatencyJob) -> PairedLatency:
    """Loads both artifacts and runs them in turn."""
    backend = get_backend(job.backend)
    return interleave(
        backend.open_session(job.first, job.threads, job.first_precision),
        backend.open_session(job.second, job.threads, job.second_precision),
        job.bursts,
    )


def interleave(first: Session, second: Session, bursts: int = BURSTS) -> PairedLatency:
    """Runs two sessions in turn, each on noise of its own input's type; the first turn of each warms up."""
    calls = [noise_call(session) for session in (first, second)]
    samples: list[list[float]] = [[], []]
    for turn in range(1 + bursts):
        for call, times in zip(calls, samples, strict=True):
            fastest = min(milliseconds(call) for _ in range(BURST))
            times.extend([fastest] if turn else ())
        report_progress(turn + 1, 1 + bursts)
    return PairedLatency(median(samples[0]), median(samples[1]), len(samples[0]))
