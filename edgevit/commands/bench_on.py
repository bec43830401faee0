"""A board as a machine to measure on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from edgevit.backends import Backend
from edgevit.measure.boards.board import Board, open_board
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.machine import Machine
from edgevit.run.progress import Progress
from edgevit.spec.spec import MeasureSpec


@contextmanager
def board_machine(
    asked: BoardSpec, backends: Sequence[Backend], settings: MeasureSpec, progress: Progress, *, need_all: bool = True
) -> Iterator[Machine]:
    """Connects to a board; gives it as a machine that can run artifacts.

    Args:
        asked: Which.
        backends: Of the artifacts.
        settings: Threads, and the time limit.
        progress: Progress callback.
        need_all: Whether all backends have to be usable there, or one of them is enough.

    Raises:
        UsageError: see :func:`edgevit.measure.boards.board.open_board`.
    """
    stage = f"connect to {asked.address}"
    progress.stage(stage, 0, 1)
    with open_board(
        asked, backends, settings.threads, settings.timeout_seconds, progress.message, need_all=need_all
    ) as board:
        progress.stage(stage, 1, 1)
        if board.emulated:
            progress.message(f"{board.address} is emulated: its times say nothing about a board ({board.emulated})")
        yield Machine(
            name=board.name,
            host=board.host,
            start=board.start,
            send=partial(_send, board, progress),
            at_once=board.at_once,
            shown=str(board.address),
            lacks=board.lacks,
            scratch=board.scratch,
            emulated=board.emulated,
        )


def _send(board: Board, progress: Progress, artifact: Path) -> Path:
    stage = f"send {artifact.name}"
    progress.stage(stage, 0, 1)
    there = board.send(artifact, partial(progress.stage, stage))
    progress.stage(stage, 1, 1)
    return there
