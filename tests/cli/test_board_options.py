"""Options for boards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.cli.board_options import asked_boards
from edgevit.errors import UsageError
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.connection import BoardSpec

PI = parse_address("pi@host")


@pytest.mark.parametrize(
    ("python", "wait", "asked"),
    [
        (None, None, BoardSpec(PI, "python3", 600.0)),
        ("~/edgevit/bin/python", "0", BoardSpec(PI, "~/edgevit/bin/python", 0.0)),
        ("python3.11", "1.5m", BoardSpec(PI, "python3.11", 90.0)),
        (None, "30s", BoardSpec(PI, "python3", 30.0)),
    ],
)
def test_a_board(python: str | None, wait: str | None, asked: BoardSpec) -> None:
    (board,) = asked_boards(["pi@host"], None, python, wait, clean=False)
    assert (board.name, board.spec) == ("host", replace(asked, name="host"))


def test_several_boards_have_names_of_their_own() -> None:
    boards = asked_boards(["pi@one", "pi@one:2222", "two"], None, None, None, clean=False)
    assert [board.name for board in boards] == ["pi@one", "pi@one:2222", "two"]


def test_no_board() -> None:
    assert asked_boards(None, None, None, None, clean=False) == ()
    with pytest.raises(UsageError, match="--clean is for --on"):
        asked_boards(None, None, None, None, clean=True)
