"""The rounds on boards: what may be chosen, and what it is compared with, timed alternately there; the choice for a board rests on it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from edgevit.errors import EdgevitError, UsageError
from edgevit.measure.boards.connection import BoardSpec
from edgevit.pipeline.board_job import (
    BoardJob,
    BoardRounds,
    LookJob,
    look_at_board,
    look_task,
    measure_on_board,
    rounds_task,
)
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.final_round import round_entry, takes_part
from edgevit.pipeline.inputs import Inputs
from edgevit.results.board import BoardRecord
from edgevit.results.candidate import Candidate
from edgevit.run.executor import Executor
from edgevit.run.progress import Progress


def look_at_boards(inputs: Inputs, executor: Executor, log: Path, progress: Progress) -> None:
    """Connects to each board, so that one that cannot be used is found before anything heavy starts.

    Args:
        inputs: Of the run.
        executor: Carries it out where a board belongs to another machine.
        log: Gets what that machine prints.
        progress: Progress callback.

    Raises:
        UsageError: a board cannot be reached, or has none of the runtimes of the run.
    """
    for asked in inputs.boards:
        job = LookJob(asked, tuple(backend.name for backend in inputs.backends), inputs.spec.measure, time.time())
        if executor.boards_elsewhere:
            found = executor.run_now(look_task(job), log)
        else:
            found = look_at_board(job, progress.message)
        for line in found.lines:
            progress.message(f"{asked.address}: {line}")


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
    stages, stage = context.stages, f"time candidates on {asked.address}"
    job = BoardJob(
        board=asked,
        backends=tuple(backend.name for backend in context.inputs.backends),
        entries=tuple(round_entry(context, each) for each in candidates),
        measure=context.inputs.spec.measure,
        seed=context.inputs.spec.seed,
        log=stages.folder.log(f"board-{asked.name}"),
    )
    try:
        if stages.executor.boards_elsewhere:
            return stages.run_in_child_elsewhere(stage, f"worker-{asked.name}", rounds_task(job))
        measure = partial(measure_on_board, job, stages.progress.message, partial(stages.progress.stage, stage))
        return stages.run_elsewhere(stage, BoardRounds, measure)
    except UsageError as error:
        stages.progress.message(f"{asked.address}: {error.message}")
        return error
