"""Ends a search soon after an interrupt, also where a library cannot be interrupted."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from edgevit.errors import ExitCode

GRACE_SECONDS = 1.5
"""After an interrupt, until the process ends whatever it is doing."""


@contextmanager
def ends_soon_after_interrupt(
    save: Callable[[], None], leave: Callable[[int], None] = os._exit, grace_seconds: float = GRACE_SECONDS
) -> Iterator[None]:
    """Ends the process soon after Ctrl-C within the block, unless the block ends before.

    Children are killed at once; but a capture in this process takes seconds and cannot be interrupted.

    Args:
        save: Writes what there is; called when the grace is over.
        leave: Ends the process, given an exit code.
        grace_seconds: How long the block may take to end by itself.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def end() -> None:
        try:
            save()
        finally:
            leave(ExitCode.INTERRUPTED)

    timer = threading.Timer(grace_seconds, end)
    timer.daemon = True

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        timer.start()
        before(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
