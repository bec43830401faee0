"""The lock of a board: a folder there with its owner, its time and its lease, so that one bench runs at a time.

The owner is a process on the board, which lives as long as its host is heard; it notes every few seconds that it lives. A lock
whose owner is gone is freed once its lease is over; that of a living owner never is. Ages are counted by a clock that nobody sets
and that runs on while the board sleeps, together with the id of the boot; the wall clock is for people only.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEASE_SECONDS = 30.0
_FOLDER, _OWNER, _BEAT, _GUARD = "lock", "owner", "beat", "lock.guard"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Owner:
    """Who holds a board."""

    token: str
    """That no other owner has."""
    who: str
    """For people: "ann@laptop"."""
    since: float
    """Seconds of the board's wall clock, for people."""
    lease_seconds: float
    pid: int
    """Of the process on the board."""
    started: str
    """When that process began, in the kernel's own count; "" where the system does not tell."""
    boot: str
    """Id of the boot; "" where the system has none."""


def take_lock(folder: Path, token: str, who: str, lease_seconds: float = LEASE_SECONDS) -> Owner | None:
    """Takes the lock for this process.

    Args:
        folder: The board's folder of edgevit; exists.
        token: See :class:`Owner`.
        who: See :class:`Owner`.
        lease_seconds: How long the lock outlives an owner that is gone.

    Returns:
        None where it is taken now, else who holds it.
    """
    lock = folder / _FOLDER
    with _guard(folder):
        held = read_owner(folder)
        if held is not None and not _is_dead(folder, held):
            return held
        shutil.rmtree(lock, ignore_errors=True)
        lock.mkdir()
        owner = Owner(token, who, time.time(), lease_seconds, os.getpid(), _started(os.getpid()) or "", _boot())
        beat(folder)
        _write(lock / _OWNER, json.dumps(owner.__dict__))
    return None


def read_owner(folder: Path) -> Owner | None:
    """Returns who holds the lock; None where nobody does, or what is written there is not whole."""
    document = _read_json(folder / _FOLDER / _OWNER)
    try:
        return Owner(**document)
    except TypeError:
        return None


def holds_lock(folder: Path, token: str) -> bool:
    """Returns whether the owner of that token holds the lock."""
    owner = read_owner(folder)
    return owner is not None and owner.token == token


def beat(folder: Path) -> None:
    """Notes that the owner, which is the caller, lives."""
    _write(folder / _FOLDER / _BEAT, json.dumps({"boot": _boot(), "seconds": _seconds()}))


def free_lock(folder: Path, token: str) -> None:
    """Frees the lock, unless somebody else holds it meanwhile."""
    with _guard(folder):
        if holds_lock(folder, token):
            shutil.rmtree(folder / _FOLDER, ignore_errors=True)


def _is_dead(folder: Path, owner: Owner) -> bool:
    document = _read_json(folder / _FOLDER / _BEAT) or {}
    age = _seconds() - float(document.get("seconds", 0.0))
    if document.get("boot", "") != _boot() or owner.boot != _boot() or age < 0:
        return True  # the board was started again since
    return age > owner.lease_seconds and _started(owner.pid) != owner.started


def _started(pid: int) -> str | None:
    """When a process began; "" where it is there and the system does not tell; None where it is not there."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            return ""
        return ""
    return text.rpartition(")")[2].split()[19]


def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _seconds() -> float:
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


@contextmanager
def _guard(folder: Path) -> Iterator[None]:
    """Keeps every other process from taking or freeing the lock; the system ends it with the process."""
    import fcntl  # boards have it; a host need not, which reads only how long a lease is

    path = folder / _GUARD
    while True:
        with path.open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                yield
                return


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
