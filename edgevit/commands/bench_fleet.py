"""The same artifacts on several boards side by side; a board that fails does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from edgevit.backends import backend_of_file
from edgevit.commands.bench_on import board_machine
from edgevit.errors import EdgevitError, UsageError
from edgevit.measure.boards.fleet import FleetBoard
from edgevit.measure.machine import Machine
from edgevit.run.progress import Progress, Silent
from edgevit.spec.spec import MeasureSpec

Found = TypeVar("Found")


@dataclass(frozen=True)
class OnBoard(Generic[Found]):
    """What a board gave: something, or an error."""

    board: FleetBoard
    found: Found | None
    error: EdgevitError | None


def on_each(
    boards: Sequence[FleetBoard],
    artifacts: Sequence[Path],
    settings: MeasureSpec,
    measure: Callable[[Machine, Progress], Found],
    progress: Progress,
) -> tuple[OnBoard[Found], ...]:
    """Measures on every board, all of them side by side.

    Args:
        boards: Of names of their own.
        artifacts: That are measured.
        settings: Threads, and the time limit.
        measure: Measures on one board, given it and a progress callback of its own.
        progress: Gets one stage for each board.

    Returns:
        What each gave, in their order.
    """
    backends = tuple(dict.fromkeys(backend_of_file(artifact) for artifact in artifacts))
    outcomes: dict[str, OnBoard[Found]] = {}
    unexpected: list[Exception] = []

    def run(board: FleetBoard) -> None:
        line = BoardLine(board.name, progress)
        try:
            _check_runtimes(board, artifacts)
            with board_machine(board.spec, backends, settings, line) as machine:
                outcomes[board.name] = OnBoard(board, measure(machine, line), None)
            progress.stage(board.name, 1, 1)
        except EdgevitError as error:
            progress.failed(board.name)
            outcomes[board.name] = OnBoard(board, None, error)
        except Exception as error:  # noqa: BLE001  raised again below, by the thread that waits
            unexpected.append(error)

    # daemons, so that an interrupt ends the process: its connections end with it, and what runs on the boards with them
    threads = [threading.Thread(target=run, args=(board,), daemon=True) for board in boards]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if unexpected:
        raise unexpected[0]
    return tuple(outcomes[board.name] for board in boards)


class BoardLine(Silent):
    """A progress callback that shows all stages of a board as one."""

    def __init__(self, name: str, progress: Progress) -> None:
        self._name, self._progress = name, progress
        progress.stage(name, 0, 1)

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Tells what the board is doing; not that a stage has ended, for the board has not."""
        if done < total:
            self._progress.stage(self._name, done, total, note or name)

    def message(self, text: str) -> None:
        """Tells a line, with the board's name."""
        self._progress.message(f"{self._name}: {text}")


def _check_runtimes(board: FleetBoard, artifacts: Sequence[Path]) -> None:
    for artifact in artifacts:
        backend = backend_of_file(artifact).name
        if board.runtimes is not None and backend not in board.runtimes:
            raise UsageError(
                f"{board.name}: {artifact.name} needs {backend}, which is not among its runtimes",
                f"it has {', '.join(board.runtimes) or 'none'}, by the fleet file",
            )
