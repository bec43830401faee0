"""A board as a machine to measure on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from edgevit.backends import backend_of_file
from edgevit.errors import UsageError
from edgevit.measure.boards.address import Address, parse_address
from edgevit.measure.boards.board import Board, open_board
from edgevit.measure.boards.connection import clean_board
from edgevit.measure.machine import Machine
from edgevit.run.progress import Progress
from edgevit.spec.spec import MeasureSpec


@contextmanager
def board_machine(
    address: Address,
    python: str,
    wait_seconds: float,
    artifacts: Sequence[Path],
    settings: MeasureSpec,
    progress: Progress,
) -> Iterator[Machine]:
    """Connects to a board; gives it as a machine that can run some artifacts.

    Args:
        address: Of the board.
        python: That runs there: a name, or a path that may begin with "~/".
        wait_seconds: How long to wait for another bench there to end.
        artifacts: Files of this machine that will be measured.
        settings: Threads, and the time limit.
        progress: Progress callback.

    Raises:
        UsageError: see :func:`edgevit.measure.boards.board.open_board`.
    """
    backends = [backend_of_file(artifact) for artifact in artifacts]
    progress.stage(f"connect to {address}", 0, 1)
    with open_board(
        address,
        name=address.host,
        python=python,
        threads=settings.threads,
        backends=list(dict.fromkeys(backends)),
        wait_seconds=wait_seconds,
        timeout_seconds=settings.timeout_seconds,
        tell=progress.message,
    ) as board:
        progress.stage(f"connect to {address}", 1, 1)
        if board.emulated:
            progress.message(f"{address} is emulated: its times say nothing about a board ({board.emulated})")
        yield Machine(board.name, board.host, board.start, partial(_send, board, progress), board.at_once, str(address))


def clean(address: Address, python: str, wait_seconds: float, progress: Progress) -> tuple[str, int]:
    """Removes what edgevit keeps on a board; see :func:`edgevit.measure.boards.connection.clean_board`."""
    return clean_board(address, python, wait_seconds, progress.message)


def ssh_address(text: str) -> Address:
    """Returns the address of a board that is reached over SSH.

    Raises:
        UsageError: it is none, or that of a phone.
    """
    address = parse_address(text)
    if address.kind == "adb":
        raise UsageError(
            f"--on {text}: only boards that are reached over SSH are measured so", "such as pi@raspberrypi.local"
        )
    return address


def _send(board: Board, progress: Progress, artifact: Path) -> Path:
    stage = f"send {artifact.name}"
    progress.stage(stage, 0, 1)
    there = board.send(artifact, partial(progress.stage, stage))
    progress.stage(stage, 1, 1)
    return there
