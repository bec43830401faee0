"""An artifact timed in short turns by a process that lives beside another one, of the artifact that it is compared with.

The two processes alternate, so that both see the same drift and the same load of the machine; no other turn runs meanwhile.
The first runs of a turn find the other artifact's weights in the caches, and do not count.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

from edgevit.backends import get_backend
from edgevit.measure.bench import noise_call, time_runs, warm_up
from edgevit.measure.conditions import Activity, activity_since, read_counters
from edgevit.measure.core_wait import timer_without_waits
from edgevit.results.artifact import TensorSpec
from edgevit.run.child_process import wait_for_turn

WARMUP_RUNS = 3
"""After loading, not counting the first."""
SETTLE_RUNS = 1
"""Of each turn: it finds cold caches, and does not count."""
_MOST_PAGES = 512
"""Of the memory that moves all that a process allocates after it."""


@dataclass(frozen=True)
class TurnsJob:
    """An artifact to time in turns."""

    backend: str
    artifact: Path
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    threads: int
    batch: int | None
    """Images of one run; when None, what the file fixes, or 1 where it leaves it open."""
    turns: int
    runs: int
    """Of one turn, at least."""
    seconds: float
    """Of one turn, at least."""
    seed: int
    """Of the places in memory."""


@dataclass(frozen=True)
class Turns:
    """What a process found."""

    samples_ms: tuple[tuple[float, ...], ...]
    """Of each turn, without waits for a core, see :mod:`edgevit.measure.core_wait`."""
    activities: tuple[Activity, ...]
    """While each turn lasted."""
    cores: int
    """Of the machine."""
    precision: str
    """That the runtime computed in."""
    delegate: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def time_turns(job: TurnsJob) -> Turns:
    """Loads an artifact, warms it up, and times it whenever it is its turn.

    Raises:
        UsageError: the runtime cannot load or run the file.
    """
    held = _shift_addresses(job.seed)
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision, job.batch)
    call = noise_call(session)
    warm_up(call, WARMUP_RUNS, 0.0)
    samples_ms, activities = [], []
    with timer_without_waits(job.threads) as timed:
        for _ in range(job.turns):
            wait_for_turn()
            for _ in range(SETTLE_RUNS):
                call()
            begin = read_counters()
            samples_ms.append(time_runs(call, job.runs, job.seconds, timed))
            activities.append(activity_since(begin))
    del held
    return Turns(
        samples_ms=tuple(samples_ms),
        activities=tuple(activities),
        cores=os.cpu_count() or 1,
        precision=session.precision,
        delegate=session.delegate,
        inputs=session.inputs,
        outputs=session.outputs,
    )


def _shift_addresses(seed: int) -> tuple[object, ...]:
    """Takes some memory first, so that what follows lies elsewhere than in another process forked from the same one."""
    random = Random(seed)
    mapped = mmap.mmap(-1, mmap.PAGESIZE * random.randint(1, _MOST_PAGES))
    heap = [bytes(random.randint(1, 4096)) for _ in range(random.randint(1, 64))]
    return mapped, heap
