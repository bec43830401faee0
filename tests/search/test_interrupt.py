"""An interrupt ends a search soon, whatever it is doing."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from edgevit.search.interrupt import ends_soon_after_interrupt


@pytest.fixture(autouse=True)
def _pythons_own_handler() -> Iterator[None]:
    """Whatever ran before in this process: without a handler an interrupt would end it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before or signal.default_int_handler)


def _interrupted(block: AbstractContextManager[None], *, seconds: float) -> None:
    """Is interrupted in a library that goes on for so long."""
    with block:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            time.sleep(seconds)


def test_what_cannot_be_interrupted_is_ended_after_what_there_is_was_saved() -> None:
    done: list[object] = []
    block = ends_soon_after_interrupt(lambda: done.append("saved"), done.append, 0.05)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(block, seconds=0.3)
    assert done == ["saved", 130]


def test_what_ends_by_itself_is_left_alone() -> None:
    done: list[object] = []
    block = ends_soon_after_interrupt(lambda: done.append("saved"), done.append, 0.05)
    with pytest.raises(KeyboardInterrupt):
        _interrupted(block, seconds=0.0)
    time.sleep(0.15)
    assert not done


def test_the_handler_before_is_there_again() -> None:
    before = signal.getsignal(signal.SIGINT)
    with ends_soon_after_interrupt(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
