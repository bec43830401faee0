"""A board as a machine to measure on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from edgevit.backends import backend_of_file
from edgevit.measure.boards.board import Board, open_board
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.machine import Machine
from edgevit.run.progress import Progress
from edgevit.spec.spec import MeasureSpec


@contextmanager
def board_machine(
    asked: BoardSpec, artifacts: Sequence[Path], settings: MeasureSpec, progress: Progress
) -> Iterator[Machine]:
    """Connects to a board; gives it as a machine that can run some artifacts.

    Args:
        asked: Which.
        artifacts: Files of this machine that will be measured.
        settings: Threads, and the time limit.
        progress: Progress callback.

    Raises:
        UsageError: see :func:`edgevit.measure.boards.board.open_board`.
    """
    backends = list(dict.fromkeys(backend_of_file(artifact) for artifact in artifacts))
    stage = f"connect to {asked.address}"
    progress.stage(stage, 0, 1)
    with open_board(asked, backends, settings.threads, settings.timeout_seconds, progress.message) as board:
        progress.stage(stage, 1, 1)
        if board.emulated:
            progress.message(f"{board.address} is emulated: its times say nothing about a board ({board.emulated})")
        send = partial(_send, board, progress)
        yield Machine(board.name, board.host, board.start, send, board.at_once, str(board.address))


def _send(board: Board, progress: Progress, artifact: Path) -> Path:
    stage = f"send {artifact.name}"
    progress.stage(stage, 0, 1)
    there = board.send(artifact, partial(progress.stage, stage))
    progress.stage(stage, 1, 1)
    return there
