"""The lock of a run folder: one process writes to it at a time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.run.files import open_no_link

LOCK = ".lock"
"""Name of the file that is locked; it stays empty."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a run folder.

    Args:
        folder: Exists.

    Raises:
        UsageError: another process holds it, the file system or the operating system has no such locks, or the name of
            the lock is a link.
    """
    try:
        import fcntl
    except ImportError as error:
        raise UsageError(
            f"edgevit keeps a run folder to one process with flock, which {sys.platform} lacks",
            "run it on Linux or macOS; on Windows, inside WSL",
        ) from error
    with os.fdopen(open_no_link(folder / LOCK, os.O_RDWR), "rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"another process is writing to {folder}", "wait for it, or name another folder"
            ) from error
        except OSError as error:
            raise UsageError(
                f"cannot lock {folder}: {error.strerror}",
                "its file system has no locks; choose a folder on a local disk",
            ) from error
        yield
