"""One burst: an artifact timed for a moment in a process of its own, with what else the machine did meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from edgevit.backends import get_backend
from edgevit.measure.bench import batch_of, noise_call, time_runs, warm_up
from edgevit.measure.conditions import Activity, activity_since, disturbances, read_counters
from edgevit.measure.core_wait import timer_without_waits
from edgevit.measure.emulation import emulation
from edgevit.measure.machine_state import cpu_name, read_state
from edgevit.measure.machine_watch import watching
from edgevit.results.machine_state import MachineSpan
from edgevit.run.child_process import wait_for_turn

WARMUP_RUNS = 3
"""Least runs after loading, not counting the first, and again just before those that are timed."""
WARMUP_SECONDS = 0.05
"""Least duration of each, in seconds: a process that waited finds cold caches, and small artifacts take milliseconds."""
LOOK_SECONDS = 0.05
"""How long a process sleeps to see what others do."""


@dataclass(frozen=True)
class BurstJob:
    """An artifact to time once."""

    backend: str
    artifact: Path
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    threads: int
    seconds: float
    """Runs continue until this and ``min_runs`` are reached."""
    min_runs: int
    most_wait_seconds: float
    """How long to wait for other processes to end or pause, before the runs."""
    batch: int | None = None
    """Images of one run; when None, what the file fixes, or 1 where it leaves it open."""


@dataclass(frozen=True)
class Burst:
    """Times of the runs of a burst, in ms."""

    samples_ms: tuple[float, ...]
    """Without waits for a core, see :mod:`edgevit.measure.core_wait`."""
    waited_seconds: float
    """For other processes."""
    activity: Activity
    """While the runs were timed."""
    cores: int
    """Of the machine."""
    batch: int = 1
    """Images of one run."""
    cpu: str = ""
    """Name of the processor."""
    span: MachineSpan | None = None
    """The machine before, during and after the runs."""
    emulated: str = ""
    """See :func:`edgevit.measure.emulation.emulation`."""

    @property
    def p50_ms(self) -> float:
        """Median of the runs in ms."""
        return median(self.samples_ms)


def time_burst(job: BurstJob) -> Burst:
    """Loads an artifact, warms it up, waits for its turn and until nothing disturbs, and times it.

    Raises:
        UsageError: the runtime cannot load or run the file.
    """
    emulated = emulation()
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision, job.batch)
    call = noise_call(session)
    warm_up(call, WARMUP_RUNS, WARMUP_SECONDS)
    wait_for_turn()
    before = read_state()
    waited_seconds = wait_until_quiet(job.threads, job.most_wait_seconds)
    warm_up(call, WARMUP_RUNS, WARMUP_SECONDS)
    with timer_without_waits(job.threads) as timed, watching(job.threads) as watch:
        begin = read_counters()
        samples_ms = time_runs(call, job.min_runs, job.seconds, timed, watch.look_if_due)
        activity = activity_since(begin)
    return Burst(
        samples_ms=samples_ms,
        waited_seconds=waited_seconds,
        activity=activity,
        cores=os.cpu_count() or 1,
        batch=batch_of(session),
        cpu=cpu_name(),
        emulated=emulated,
        span=MachineSpan(before, watch.found(), read_state()),
    )


def wait_until_quiet(threads: int, most_seconds: float) -> float:
    """Sleeps until nothing would disturb a measurement, at least for one look.

    Args:
        threads: That the measurement will use.
        most_seconds: How long to wait.

    Returns:
        How long it waited for others, in seconds: 0 where the first look found nothing.
    """
    waited = 0.0
    while True:
        begin = read_counters()
        time.sleep(LOOK_SECONDS)
        if waited >= most_seconds or not disturbances(activity_since(begin), threads, os.cpu_count() or 1, None):
            return waited
        waited += LOOK_SECONDS
