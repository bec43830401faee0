"""A time limit that begins anew with every sign of progress."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_LONGEST_WAIT = 3600.0
"""Seconds of one wait; the limit itself may be larger than what a wait can take."""


class TimeLimit:
    """Calls a function once nothing was heard for so long."""

    def __init__(self, seconds: float, on_expiry: Callable[[], None]) -> None:
        self.expired = False
        """Whether the function was called."""
        self._seconds, self._on_expiry = seconds, on_expiry
        self._ended = threading.Event()
        self._last = time.monotonic()
        # an interrupt may come before it is cancelled
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begins to wait."""
        self._last = time.monotonic()
        self._thread.start()

    def extend(self) -> None:
        """Begins anew."""
        self._last = time.monotonic()

    def cancel(self) -> None:
        """Ends it; the function is not called any more."""
        self._ended.set()

    def _watch(self) -> None:
        while (left := self._seconds - (time.monotonic() - self._last)) > 0:
            if self._ended.wait(min(left, _LONGEST_WAIT)):
                return
        self.expired = True
        self._on_expiry()
