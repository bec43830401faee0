"""Options for boards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgevit.cli.options import refuse_with
from edgevit.errors import UsageError

if TYPE_CHECKING:
    from edgevit.backends import Backend
    from edgevit.commands.eval import FileEvaluation
    from edgevit.measure.boards.board import Board
    from edgevit.measure.boards.connection import BoardSpec
    from edgevit.measure.boards.fleet import FleetBoard
    from edgevit.measure.machine import Machine
    from edgevit.run.progress import Progress
    from edgevit.spec.spec import MeasureSpec

BOARD = "Board"
_LONGEST_WAIT_S = 86_400.0
_UNITS = {"s": 1, "": 1, "m": 60, "min": 60}

On = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ADDRESS",
        rich_help_panel=BOARD,
        help="Measure on a board: user@host[:port] or a Host of ~/.ssh/config, over SSH. Repeated: several, side by side.",
        show_default=False,
    ),
]
Fleet = Annotated[
    Path | None,
    typer.Option(
        metavar="FLEET.toml",
        rich_help_panel=BOARD,
        help="Measure on the boards of a file, side by side.",
        show_default=False,
    ),
]
EvaluateOn = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="ADDRESS",
        rich_help_panel=BOARD,
        help="Run the artifact on a board, over SSH: user@host[:port] or a Host of ~/.ssh/config.",
        show_default=False,
    ),
]
OnSeveral = Annotated[
    list[str] | None,
    typer.Option(
        "--on",
        metavar="ADDRESS",
        rich_help_panel=BOARD,
        help="Measure candidates on this board too, over SSH, and choose there: user@host[:port] or a Host of ~/.ssh/config; may"
        " be repeated.",
        show_default=False,
    ),
]
Python = Annotated[
    str | None,
    typer.Option(
        metavar="PATH",
        rich_help_panel=BOARD,
        help="With --on: Python there, such as ~/edgevit/bin/python; python3 when not given.",
        show_default=False,
    ),
]
Wait = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        rich_help_panel=BOARD,
        help="With --on: how long to wait for another bench there to end; 10min when not given, 0 refuses at once.",
        show_default=False,
    ),
]
Clean = Annotated[
    bool,
    typer.Option(
        "--clean", rich_help_panel=BOARD, help="With --on: remove what edgevit keeps there, and say its size."
    ),
]
Record = Annotated[
    bool,
    typer.Option(
        "--record",
        rich_help_panel=BOARD,
        help="With --on or --runtime: store the measurement in the run.json of the file's run, for budgets.",
    ),
]


def asked_boards(
    on: list[str] | None, fleet: Path | None, python: str | None, wait: str | None, *, clean: bool
) -> tuple[FleetBoard, ...]:
    """Returns the boards that are asked for; none for this machine.

    Raises:
        UsageError: an option is for boards, and there is none; a value is not one; or a board is given twice.
    """
    if on is None and fleet is None:
        for option, given in {"--python": python is not None, "--wait": wait is not None, "--clean": clean}.items():
            if given:
                raise UsageError(f"{option} is for --on", f"add it, or leave out {option}")
        return ()
    if python is not None and not re.fullmatch(r"[^\s\x00-\x1f-][^\x00-\x1f]*", python):
        raise UsageError(
            f"--python {python!r} is not the name of a program", "such as python3.11, or ~/edgevit/bin/python"
        )
    wait_seconds = _wait_seconds(wait or "10min")
    from edgevit.measure.boards.fleet import fleet_of, read_fleet

    if fleet is not None:
        refuse_with("--fleet", {"--on": on, "--python": python}, "the file says it of each board")
        return read_fleet(fleet, wait_seconds)
    return fleet_of(on or (), python or "python3", wait_seconds)


def one_board(on: list[str] | None, python: str | None, wait: str | None) -> BoardSpec | None:
    """Returns the one board that is asked for; None for this machine.

    Raises:
        UsageError: there are several, or see :func:`asked_boards`.
    """
    boards = asked_boards(on, None, python, wait, clean=False)
    if len(boards) > 1:
        raise UsageError(f"--on is given {len(boards)} times, and this is of one board", "give one, then the next")
    return boards[0].spec if boards else None


def wait_minutes(text: str | None) -> float | None:
    """Returns the minutes of --wait, such as "30s"; None where it is not given.

    Raises:
        UsageError: it is not a time of 0 to a day.
    """
    return None if text is None else _wait_seconds(text) / 60


def _wait_seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(s|min|m|)", text, re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2]] if found else -1.0
    if not 0 <= seconds <= _LONGEST_WAIT_S:
        raise UsageError(f"--wait {text!r} is not a time of 0 to a day", "such as 30s, 10min, or 0 to refuse at once")
    return seconds


@contextmanager
def machine_of(
    board: BoardSpec | None, artifacts: Sequence[Path], settings: MeasureSpec, progress: Progress
) -> Iterator[Machine]:
    """Gives the machine to measure on: a board that is connected, or this one.

    Args:
        board: None for this one.
        artifacts: That will be measured.
        settings: Threads, and the time limit.
        progress: Progress callback.
    """
    from edgevit.backends import backend_of_file

    backends = () if board is None else tuple(dict.fromkeys(backend_of_file(artifact) for artifact in artifacts))
    with machine_with(board, backends, settings, progress) as machine:
        yield machine


@contextmanager
def machine_with(
    board: BoardSpec | None,
    backends: Sequence[Backend],
    settings: MeasureSpec,
    progress: Progress,
    *,
    need_all: bool = True,
) -> Iterator[Machine]:
    """Gives the machine to measure on: a board that is connected and has runtimes, or this one, whatever it has.

    Args:
        board: None for this one.
        backends: Whose runtimes the board has to have.
        settings: Threads, and the time limit.
        progress: Progress callback.
        need_all: Whether it has to have them all, or one of them is enough.
    """
    from edgevit.commands.bench_on import board_machine
    from edgevit.measure.machine import this_machine

    if board is None:
        yield this_machine(settings.threads)
        return
    with board_machine(board, backends, settings, progress, need_all=need_all) as machine:
        yield machine


@contextmanager
def evaluation_board(board: BoardSpec | None, asked: FileEvaluation, progress: Progress) -> Iterator[Board | None]:
    """Gives the board to evaluate a file on, connected; None for this machine.

    Args:
        board: None for this machine.
        asked: The file, the threads and the time limit.
        progress: Progress callback.

    Raises:
        UsageError: what is asked cannot be done, or the board cannot be used.
    """
    from edgevit.commands.eval import check_evaluation
    from edgevit.commands.eval_on import evaluating_board

    if board is None:
        yield None
        return
    check_evaluation(asked)
    with evaluating_board(board, asked.artifact, asked.threads, asked.timeout_seconds, progress) as connected:
        yield connected


def clean_boards(boards: Sequence[FleetBoard], *, as_json: bool) -> None:
    """Removes what edgevit keeps on boards, one after the other, and says how much it was."""
    from edgevit import units
    from edgevit.cli import terminal
    from edgevit.measure.boards import connection

    documents = []
    for board in boards:
        address = str(board.spec.address)
        with terminal.make_progress() as progress:
            folder, size_bytes = connection.clean_board(board.spec, progress.message)
        documents.append({"board": address, "folder": folder, "removed_bytes": size_bytes})
        if not as_json and size_bytes:
            terminal.print_line(f"removed {folder} on {address}: {units.size(size_bytes)}")
        elif not as_json:
            terminal.print_line(f"nothing to remove on {address}: {folder} is not there")
    if as_json:
        terminal.print_json(documents[0] if len(documents) == 1 else {"boards": documents})
