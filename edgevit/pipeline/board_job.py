"""What is done on one board, by this machine or by the one that the board belongs to: a first look, and the rounds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from edgevit.backends import get_backend
from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.bench import BenchJob
from edgevit.measure.boards.board import Board, open_board
from edgevit.measure.boards.connection import BoardSpec, Tell
from edgevit.measure.rounds import RoundEntry, RoundSettings, measure_rounds, rounds_for
from edgevit.pipeline.tasks import bench_task
from edgevit.results.board import BoardRecord
from edgevit.results.measurement import Measurement, RoundLatency
from edgevit.run.child_process import report_progress
from edgevit.run.executor import Executor
from edgevit.run.task import BoardUse, Task
from edgevit.spec.spec import MeasureSpec


@dataclass(frozen=True)
class LookJob:
    """A board to look at."""

    board: BoardSpec
    backends: tuple[str, ...]
    """Names of those that it is to run artifacts of."""
    measure: MeasureSpec
    at: float
    """Seconds since 1970: what was seen at another time does not count."""


@dataclass(frozen=True)
class Look:
    """What was seen."""

    lines: tuple[str, ...]
    """For people."""


@dataclass(frozen=True)
class BoardJob:
    """Artifacts to time on a board."""

    board: BoardSpec
    backends: tuple[str, ...]
    """Names of those of the run."""
    entries: tuple[RoundEntry, ...]
    """By the id of a candidate."""
    measure: MeasureSpec
    seed: int
    log: Path
    """Gets what the processes there print."""


@dataclass(frozen=True)
class BoardRounds:
    """What was found on one board."""

    record: BoardRecord
    latencies: dict[str, RoundLatency]
    """By the id of a candidate."""
    measurements: dict[str, Measurement]
    """Likewise, each by itself."""


def look_task(job: LookJob) -> Task[LookJob, Look]:
    """Looks at a board from the machine that it belongs to."""
    return Task(look_at_board_in_child, job, Look, timing=True, board=_use(job.board))


def rounds_task(job: BoardJob) -> Task[BoardJob, BoardRounds]:
    """Times artifacts on a board from the machine that it belongs to."""
    files = tuple(path for entry in job.entries for path in entry.files)
    return Task(measure_on_board_in_child, job, BoardRounds, inputs=files, timing=True, board=_use(job.board))


def look_at_board_in_child(job: LookJob) -> Look:
    """See :func:`look_at_board`."""
    return look_at_board(job, _tell)


def measure_on_board_in_child(job: BoardJob) -> BoardRounds:
    """See :func:`measure_on_board`."""
    return measure_on_board(job, _tell, lambda done, total: report_progress(done, total))


def look_at_board(job: LookJob, tell: Tell) -> Look:
    """Connects to a board and looks whether it can be used.

    Args:
        job: Which, and for what.
        tell: Gets a line when another bench is waited for.

    Raises:
        UsageError: it cannot be reached, or has none of the runtimes.
    """
    backends = [get_backend(name) for name in job.backends]
    with _open(job.board, job.backends, job.measure, tell) as board:
        runtimes = [backend.title for backend in backends if not board.lacks(backend)]
        lacks = [
            f"{reason}; its candidates are not measured on it" for reason in filter(None, map(board.lacks, backends))
        ]
        return Look((f"{board.host.cpu}, {board.host.cores} cores, {', '.join(runtimes)}", *lacks))


def measure_on_board(job: BoardJob, tell: Tell, on_progress: Callable[[int, int], None]) -> BoardRounds:
    """Times artifacts on a board: each by itself, then all that run there alternately.

    Args:
        job: Which.
        tell: Gets a line when another bench is waited for.
        on_progress: Gets the number of bursts done, and of all.

    Raises:
        UsageError: the board cannot be reached, or the connection is lost.
    """
    with _open(job.board, job.backends, job.measure, tell) as board:
        lacks = {name: board.lacks(get_backend(name)) for name in job.backends}
        failures = {entry.name: lacks[entry.backend] for entry in job.entries if lacks[entry.backend]}
        sent = [
            replace(entry, artifact=board.send(entry.artifact), files=())
            for entry in job.entries
            if entry.name not in failures
        ]
        measurements: dict[str, Measurement] = {}
        with Executor(board.at_once, job.measure.timeout_seconds, job.log, start=board.start) as executor:
            for entry in sent:  # what the runtime there refuses is found here, and has no part in the rounds
                try:
                    alone = executor.run_now(bench_task(_bench_job(entry, job.measure)), job.log)
                except (CandidateFailed, UsageError) as error:
                    board.connection.check(f"measuring {entry.name}")  # a lost connection is no fault of the candidate
                    failures[entry.name] = error.message
                else:
                    measurements[entry.name] = replace(alone, device=board.name)
            able = [entry for entry in sent if entry.name in measurements]
            settings = RoundSettings(job.measure.threads, rounds_for(len(able)), at_once=board.at_once, seed=job.seed)
            rounds = measure_rounds(able, settings, partial(executor.run_in_turn, log=job.log), on_progress)
        record = BoardRecord(board.name, board.host, board.emulated, {**failures, **rounds.failures})
    return BoardRounds(record, dict(rounds.latencies), measurements)


def _open(
    asked: BoardSpec, backends: tuple[str, ...], measure: MeasureSpec, tell: Tell
) -> AbstractContextManager[Board]:
    known = [get_backend(name) for name in backends]
    return open_board(asked, known, measure.threads, measure.timeout_seconds, tell, need_all=False)


def _bench_job(entry: RoundEntry, measure: MeasureSpec) -> BenchJob:
    return BenchJob(
        backend=entry.backend,
        artifact=entry.artifact,
        threads=measure.threads,
        precision=entry.precision,
        min_runs=measure.min_runs,
        min_seconds=measure.min_seconds,
    )


def _use(board: BoardSpec) -> BoardUse:
    return BoardUse(str(board.address), board.wait_seconds)


def _tell(line: str) -> None:
    report_progress(0, 1, line)
