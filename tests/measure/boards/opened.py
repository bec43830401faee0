"""Boards to try things on, and a way to wait for what happens there."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from edgevit.backends import get_backend
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.board import Board, open_board
from edgevit.measure.boards.connection import BoardSpec
from tests.loopback import PYTHON

Found = TypeVar("Found")


def opened(
    python: str = PYTHON,
    *,
    backend: str = "onnxruntime",
    wait: float = 0.0,
    address: str = "board",
    threads: int = 1,
    tell: Callable[[str], None] = print,
) -> AbstractContextManager[Board]:
    """Opens the board on loopback."""
    asked = BoardSpec(parse_address(address), python, wait)
    return open_board(asked, [get_backend(backend)], threads, 60.0, tell)


def wait_for(condition: Callable[[], Found], seconds: float = 30.0) -> Found:
    """Waits until something is so; returns what it was found to be."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)
    return found
