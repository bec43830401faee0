"""Compares two artifacts in blocks, each with a fresh pair of processes that alternate.

In each block a coin says which of the two is the first in everything: its process starts first, and has the first turn.
Whatever the machine does, a file compared with itself then gives a ratio above 1 as often as its inverse: what
:mod:`edgevit.gate.confidence_sequence` rests on. A pair of processes has an error of its own, from the places of weights and
activations in memory, which its runs share and only other pairs have otherwise: so a block is one value, however many runs it has.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TypeAlias

from edgevit.errors import CandidateFailed
from edgevit.measure.conditions import Disturbance, disturbances, joined
from edgevit.measure.turns import Turns, TurnsJob, time_turns
from edgevit.run.task import Task

QUICK_SHARE = 0.1
"""The quantile of a process's runs that counts: a run that nothing held up. Load moves the median far more."""
_MOST_SEED = 2**31
_FAIR = 0.5


@dataclass(frozen=True)
class Contender:
    """One of the two artifacts."""

    backend: str
    artifact: Path
    precision: str
    """"f32", "bf16" or "fastest"."""


@dataclass(frozen=True)
class BlockSettings:
    """How much one block measures."""

    threads: int = 1
    batch: int | None = None
    """Images of one run; when None, what a file fixes, or 1 where it leaves it open."""
    turns: int = 4
    """Of each process."""
    runs: int = 5
    """Of one turn, at least."""
    seconds: float = 0.02
    """Of one turn, at least."""


@dataclass(frozen=True)
class Block:
    """What one pair of processes found."""

    new: Turns
    old: Turns
    seconds: float
    """From the start of the processes to their end."""

    @property
    def log_ratio(self) -> float:
        """Natural logarithm of the latency of the new artifact over that of the old one."""
        return math.log(quick_ms(self.new) / quick_ms(self.old))

    def disturbances(self, threads: int) -> tuple[Disturbance, ...]:
        """What disturbed the runs of both.

        Args:
            threads: That each process used.
        """
        return disturbances(joined((*self.new.activities, *self.old.activities)), threads, self.new.cores, None)


Alternately: TypeAlias = Callable[[Sequence[Task[TurnsJob, Turns]], Sequence[int]], Sequence[Turns | CandidateFailed]]
"""Carries out tasks that take turns in an order, while nothing else runs; gives what each found, or its error. See
:meth:`edgevit.run.executor.Executor.run_alternately`."""


def preload(backend: str) -> tuple[str, ...]:
    """Returns the modules that the processes of a block need, see :class:`edgevit.run.task.Task`."""
    return (f"edgevit.backends.{backend}.session", "edgevit.measure.turns")


def measure_block(new: Contender, old: Contender, settings: BlockSettings, random: Random, run: Alternately) -> Block:
    """Times two artifacts beside each other, in a fresh process each.

    Args:
        new: The one artifact.
        old: The other one.
        settings: How much.
        random: Tosses the coin, and says where in memory each process begins.
        run: Carries out the tasks.

    Raises:
        CandidateFailed: one of the processes crashed, ran out of time, or found times that are none; its message names the file.
        UsageError: the runtime cannot load or run one of the files.
    """
    begin = time.monotonic()
    new_is_first = random.random() < _FAIR
    pair = (new, old) if new_is_first else (old, new)
    tasks = [_task(each, settings, random.randrange(_MOST_SEED)) for each in pair]
    first, second = (_timed(*each) for each in zip(run(tasks, (0, 1) * settings.turns), pair, strict=True))
    seconds = time.monotonic() - begin
    return Block(first, second, seconds) if new_is_first else Block(second, first, seconds)


def quick_ms(turns: Turns) -> float:
    """Returns the ``QUICK_SHARE`` quantile of all runs of a process in ms, interpolated linearly."""
    ordered = sorted(sample for turn in turns.samples_ms for sample in turn)
    place = QUICK_SHARE * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def _task(contender: Contender, settings: BlockSettings, seed: int) -> Task[TurnsJob, Turns]:
    job = TurnsJob(
        backend=contender.backend,
        artifact=contender.artifact,
        precision=contender.precision,
        threads=settings.threads,
        batch=settings.batch,
        turns=settings.turns,
        runs=settings.runs,
        seconds=settings.seconds,
        seed=seed,
    )
    return Task(time_turns, job, Turns, preload=preload(contender.backend), timing=True)


def _timed(found: Turns | CandidateFailed, contender: Contender) -> Turns:
    if isinstance(found, CandidateFailed):
        raise CandidateFailed(f"{contender.artifact}: {found.message}", found.hint)
    if not 0 < quick_ms(found) < math.inf:
        raise CandidateFailed(f"{contender.artifact}: a run took {quick_ms(found)} ms, which is no time to judge")
    return found
