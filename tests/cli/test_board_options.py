"""Options for boards."""

from __future__ import annotations

import pytest

from edgevit.cli.board_options import asked_board
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
    assert asked_board("pi@host", python, wait, clean=False) == asked


def test_no_board() -> None:
    assert asked_board(None, None, None, clean=False) is None
    with pytest.raises(UsageError, match="--clean is for --on"):
        asked_board(None, None, None, clean=True)
