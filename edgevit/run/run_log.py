"""The log of a run: every line of its progress with the time, in a file of the run folder."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import IO

from edgevit.run.files import open_to_append
from edgevit.run.progress import Progress, RunPlan
from edgevit.units import visible


class RunLog:
    """Progress that is written to a file, then passed on to another callback, one call at a time."""

    def __init__(self, file: Path, shown: Progress) -> None:
        """Opens the log; a resumed run appends to it.

        Args:
            file: Such as ``logs/run.log``; its folder is made.
            shown: Gets everything too.
        """
        self._stream: IO[bytes] = open_to_append(file)
        self._shown = shown
        self._lock = threading.RLock()
        self._began: dict[str, float] = {}
        self._ended: set[str] = set()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._stream.close()

    def begin(self, plan: RunPlan) -> None:
        """Writes what the run is going to make."""
        with self._lock:
            self._write(
                f"plan: {len(plan.candidates)} candidates, {plan.stage_count} stages, about {plan.seconds:.0f} s:"
                f" {', '.join(plan.candidates)}"
            )
            self._shown.begin(plan)

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        """Writes when a stage begins and when it ends."""
        with self._lock:
            self._note(name, done, total)
            self._shown.stage(name, done, total, note)

    def _note(self, name: str, done: int, total: int) -> None:
        if name in self._ended:
            return
        if name not in self._began:
            self._began[name] = time.monotonic()
            self._write(f"{name}: started")
        if done >= total:
            self._ended.add(name)
            self._write(f"{name}: done in {time.monotonic() - self._began[name]:.1f} s")

    def failed(self, name: str) -> None:
        """Writes that a stage failed."""
        with self._lock:
            self._ended.add(name)
            self._write(f"{name}: failed")
            self._shown.failed(name)

    def candidate(self, text: str) -> None:
        """Writes the line."""
        with self._lock:
            self._write(text)
            self._shown.candidate(text)

    def message(self, text: str) -> None:
        """Writes the line."""
        with self._lock:
            self._write(text)
            self._shown.message(text)

    def detail(self, text: str) -> None:
        """Writes the line."""
        with self._lock:
            self._write(text)
            self._shown.detail(text)

    def _write(self, text: str) -> None:
        if not self._stream.closed:
            line = f"{time.strftime('%H:%M:%S')} {visible(text)}\n"
            self._stream.write(line.encode(errors="backslashreplace"))
