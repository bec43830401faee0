"""The rounds on boards: what may be chosen, and what it is compared with, timed alternately there; the choice for a board rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from edgevit.errors import CandidateFailed, EdgevitError, UsageError
from edgevit.measure.bench import BenchJob
from edgevit.measure.boards.board import Board, open_board
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.rounds import RoundEntry, RoundSettings, measure_rounds, rounds_for
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.final_round import round_entry, takes_part
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.tasks import bench_task
from edgevit.results.board import BoardRecord
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import Measurement, RoundLatency
from edgevit.run.executor import Executor
from edgevit.run.progress import Progress


@dataclass(frozen=True)
class BoardRounds:
    """What was found on one board."""

    record: BoardRecord
    latencies: dict[str, RoundLatency]
    """By the id of a candidate."""
    measurements: dict[str, Measurement]
    """Likewise, each by itself."""


def look_at_boards(inputs: Inputs, progress: Progress) -> None:
    """Connects to each board, so that one that cannot be used is found before anything heavy starts.

    Raises:
        UsageError: a board cannot be reached, or has none of the runtimes of the run.
    """
    for asked in inputs.boards:
        with _open(inputs, asked, progress) as board:
            runtimes = [backend.title for backend in inputs.backends if not board.lacks(backend)]
            progress.message(f"{asked.address}: {board.host.cpu}, {board.host.cores} cores, {', '.join(runtimes)}")
            for reason in filter(None, map(board.lacks, inputs.backends)):
                progress.message(f"{asked.address}: {reason}; its candidates are not measured on it")


def time_on_boards(
    context: RunContext, candidates: tuple[Candidate, ...]
) -> tuple[tuple[Candidate, ...], tuple[BoardRecord, ...]]:
    """Times candidates on each board of the run, on all boards at the same time.

    A board that fails does not stop the others: what they found is kept, and the run goes on there when it is resumed.

    Args:
        context: The run.
        candidates: All of it; those that were not measured on this host have no part in it.

    Returns:
        All candidates in the same order, with what was found, and the boards.

    Raises:
        UsageError: a board failed; the first that did.
    """
    taking_part = tuple(each for each in candidates if takes_part(each, candidates))
    boards = context.inputs.boards
    if not boards or not taking_part:
        return candidates, ()
    found = context.stages.side_by_side([partial(_time_on, context, taking_part, asked) for asked in boards])
    failures = [each for each in found if isinstance(each, EdgevitError)]
    for failure in failures:
        raise failure
    timed = [each for each in found if isinstance(each, BoardRounds)]
    return tuple(with_boards(each, timed) for each in candidates), tuple(each.record for each in timed)


def with_boards(candidate: Candidate, boards: Sequence[BoardRounds]) -> Candidate:
    """Returns a candidate with what was found of it on boards, in their order; as it is where that is nothing."""
    measured = (board.measurements.get(candidate.id) for board in boards)
    return replace(
        candidate,
        measurements=(*candidate.measurements, *filter(None, measured)),
        on_boards={
            board.record.name: board.latencies[candidate.id] for board in boards if candidate.id in board.latencies
        },
    )


def _time_on(context: RunContext, candidates: tuple[Candidate, ...], asked: BoardSpec) -> BoardRounds | EdgevitError:
    stage = f"time candidates on {asked.address}"
    try:
        return context.stages.run_elsewhere(stage, BoardRounds, partial(_measure_on, context, candidates, asked, stage))
    except UsageError as error:
        context.stages.progress.message(f"{asked.address}: {error.message}")
        return error


def _measure_on(context: RunContext, candidates: tuple[Candidate, ...], asked: BoardSpec, stage: str) -> BoardRounds:
    inputs, progress, spec = context.inputs, context.stages.progress, context.inputs.spec
    log = context.stages.folder.log(f"board-{asked.name}")
    with _open(inputs, asked, progress) as board:
        lacks = {backend.name: board.lacks(backend) for backend in inputs.backends}
        failures = {each.id: lacks[each.backend] for each in candidates if lacks[each.backend]}
        entries = [_sent(context, board, each) for each in candidates if each.id not in failures]
        measurements: dict[str, Measurement] = {}
        with Executor(board.at_once, spec.measure.timeout_seconds, log, start=board.start) as executor:
            for entry in entries:  # what the runtime there refuses is found here, and has no part in the rounds
                try:
                    alone = executor.run_now(bench_task(_job(context, entry)), log)
                except (CandidateFailed, UsageError) as error:
                    board.connection.check(f"measuring {entry.name}")  # a lost connection is no fault of the candidate
                    failures[entry.name] = error.message
                else:
                    measurements[entry.name] = replace(alone, device=board.name)
            able = [entry for entry in entries if entry.name in measurements]
            settings = RoundSettings(spec.measure.threads, rounds_for(len(able)), at_once=board.at_once, seed=spec.seed)
            rounds = measure_rounds(
                able, settings, partial(executor.run_in_turn, log=log), partial(progress.stage, stage)
            )
        record = BoardRecord(board.name, board.host, board.emulated, {**failures, **rounds.failures})
    return BoardRounds(record, dict(rounds.latencies), measurements)


def _open(inputs: Inputs, asked: BoardSpec, progress: Progress) -> AbstractContextManager[Board]:
    measure = inputs.spec.measure
    return open_board(
        asked, inputs.backends, measure.threads, measure.timeout_seconds, progress.message, need_all=False
    )


def _sent(context: RunContext, board: Board, candidate: Candidate) -> RoundEntry:
    entry = round_entry(context, candidate)
    return replace(entry, artifact=board.send(entry.artifact), files=())


def _job(context: RunContext, entry: RoundEntry) -> BenchJob:
    settings = context.inputs.spec.measure
    return BenchJob(
        backend=entry.backend,
        artifact=entry.artifact,
        threads=settings.threads,
        precision=entry.precision,
        min_runs=settings.min_runs,
        min_seconds=settings.min_seconds,
    )
