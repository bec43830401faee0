"""What a call in Python tells while it works: events for a callback, and lines for ``logging``."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edgevit.run.progress import Progress, RunPlan
from edgevit.run.time_left import RunCount

_WARNING = "warning: "
"""With which a message begins that is one."""


@dataclass(frozen=True)
class ProgressEvent:
    """One thing that a call tells while it works."""

    kind: Literal["plan", "stage", "failed", "candidate", "message", "detail"]
    """"plan": what a run is going to make. "stage": how far a stage is. "failed": a stage that ended without a result.
    "candidate": a finished candidate, or why it is rejected. "message": what everybody has to see, such as a warning. "detail":
    how something came about."""
    text: str
    """Name of the stage, or else a line of text."""
    done: int = 0
    """Steps of the stage that are done; the first event of a stage begins it, and it has ended when ``done`` is ``total``."""
    total: int = 0
    """Steps of the stage; 0 for other kinds of events."""
    note: str = ""
    """What the last step gave, such as a loss."""
    seconds_left: float | None = None
    """About how long the whole run takes from now; None where there is no plan."""


ProgressCallback = Callable[[ProgressEvent], None]
"""Receives each :class:`ProgressEvent`, one at a time, from any thread. An exception that it raises ends the call."""


def told(step: str, callback: ProgressCallback | None) -> Progress:
    """Returns what tells a callback, and the logger of a step.

    Args:
        step: Such as "compress"; names the logger, ``edgevit.compress``.
        callback: None where nobody wants to know; the logger is told nevertheless.
    """
    return _Told(logging.getLogger(f"edgevit.{step}"), callback)


class _Told:
    """Progress as events and as lines of a log: what a run says at level INFO, warnings and failures at WARNING."""

    def __init__(self, log: logging.Logger, callback: ProgressCallback | None) -> None:
        self._log = log
        self._callback = callback
        self._lock = threading.RLock()
        self._count: RunCount | None = None
        self._begun: set[str] = set()
        self._ended: set[str] = set()

    def begin(self, plan: RunPlan) -> None:
        """Tells what the run is going to make."""
        with self._lock:
            self._count = RunCount(plan, time.monotonic())
            line = f"{len(plan.candidates)} candidates in {plan.stage_count} stages, about {plan.seconds:.0f} s"
            self._log.info("%s", line)
            self._tell(ProgressEvent("plan", line, seconds_left=self._left()))

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Tells how far a stage is; nothing more once it has ended."""
        with self._lock:
            if name in self._ended:
                return
            if name not in self._begun:
                self._begun.add(name)
                self._log.debug("%s: started", name)
            if self._count:
                (self._count.end if done >= total else self._count.begin)(name, time.monotonic())
            if done >= total:
                self._ended.add(name)
                self._log.info("%s: done", name)
            self._tell(ProgressEvent("stage", name, done, total, note, self._left()))

    def failed(self, name: str) -> None:
        """Tells that a stage failed."""
        with self._lock:
            self._ended.add(name)
            if self._count:
                self._count.end(name, time.monotonic())
            self._log.warning("%s: failed", name)
            self._tell(ProgressEvent("failed", name, seconds_left=self._left()))

    def candidate(self, text: str) -> None:
        """Tells the line."""
        with self._lock:
            self._log.info("%s", text)
            self._tell(ProgressEvent("candidate", text, seconds_left=self._left()))

    def message(self, text: str) -> None:
        """Tells the line."""
        with self._lock:
            is_warning = text.startswith(_WARNING)
            self._log.log(logging.WARNING if is_warning else logging.INFO, "%s", text.removeprefix(_WARNING))
            self._tell(ProgressEvent("message", text, seconds_left=self._left()))

    def detail(self, text: str) -> None:
        """Tells the line."""
        with self._lock:
            self._log.debug("%s", text)
            self._tell(ProgressEvent("detail", text, seconds_left=self._left()))

    def _left(self) -> float | None:
        return self._count.seconds_left(time.monotonic()) if self._count else None

    def _tell(self, event: ProgressEvent) -> None:
        if self._callback:
            self._callback(event)
