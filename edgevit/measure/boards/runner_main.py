"""The board's side of a bench: what the zipapp runs there, with the standard library, numpy and one runtime.

``hold`` takes the lock and keeps it while the host is heard; ``store`` receives the files of an artifact; ``task`` carries out
one task. What they say is on marked lines, see :mod:`edgevit.measure.boards.messages`.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from edgevit.measure.boards import cache, lock
from edgevit.measure.boards.messages import say
from edgevit.measure.boards.supervise import supervise
from edgevit.run.files import is_full_disk

_ASK_AGAIN_S = 2.0
"""Seconds between two tries to take the lock."""


def main(arguments: list[str]) -> None:
    """Runs one command, and ends the process.

    Args:
        arguments: ``hold``, ``store`` or ``task``; the board's folder of edgevit; the token of the lock; for ``hold`` also for
            whom it is, and how many seconds to wait.
    """
    command, place, token, *more = arguments
    folder = Path(place)
    try:
        if command == "hold":
            hold(folder, token, more[0], float(more[1]))
        elif command == "store":
            store(folder)
        else:
            sys.exit(supervise(folder, token))
    except cache.Incomplete as error:
        say({"error": "incomplete", "message": str(error)})
    except OSError as error:
        kind = "disk full" if is_full_disk(error) else "failed"
        say(
            {
                "error": kind,
                "message": f"{error.strerror or error}: {error.filename or folder}",
                "free_bytes": cache.free_bytes(folder),
            }
        )


def hold(folder: Path, token: str, who: str, wait_seconds: float) -> None:
    """Takes the lock, waiting for it, and keeps it until stdin closes or the host falls silent.

    The host sends "beat" every few seconds, and "clean" to have the folder removed.
    """
    lines = _Lines()
    begin = time.monotonic()
    told = ""
    while owner := lock.take_lock(folder, token, who):
        left = wait_seconds - (time.monotonic() - begin)
        if left <= 0 or owner.token != told:
            told = owner.token
            say({"held_by": owner.who, "for_seconds": max(0.0, time.time() - owner.since), "refused": left <= 0})
        if left <= 0 or lines.next(min(left, _ASK_AGAIN_S)) == "":
            return
    try:
        cache.remove_leftovers(folder)
        say({"held": True, "size_bytes": cache.size_bytes(folder)})
        while line := lines.next(lock.LEASE_SECONDS):
            if line == "clean":
                say({"removed_bytes": cache.remove(folder)})
                return
            lock.beat(folder)
    finally:
        if folder.is_dir():
            lock.free_lock(folder, token)


class _Lines:
    """The lines of stdin, each waited for with a limit."""

    def __init__(self) -> None:
        self._left = b""

    def next(self, seconds: float) -> str | None:
        """Returns the next line without its end; "" once stdin is closed, None where none came in that time."""
        while b"\n" not in self._left:
            if not select.select([0], [], [], seconds)[0]:
                return None
            chunk = os.read(0, 4096)
            if not chunk:
                return ""
            self._left += chunk
        line, _, self._left = self._left.partition(b"\n")
        return line.decode(errors="replace")


def store(folder: Path) -> None:
    """Receives the files of an artifact that are not there, and gives them their names."""
    asked: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    files = tuple(cache.SentFile(**each) for each in asked["files"])
    wanted = cache.missing(folder, files)
    say({"missing": [each.sha256 for each in wanted], "free_bytes": cache.free_bytes(folder)})
    for each in wanted:
        cache.receive(folder, each, sys.stdin.buffer)
    say({"folder": str(cache.lay_out(folder, asked["key"], files))})
