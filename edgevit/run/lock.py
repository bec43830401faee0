"""The lock of a run folder: one process writes to it at a time."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.run.files import open_no_link

LOCK = ".lock"
"""Name of the file that is locked; it stays empty."""


def check_run_folders() -> None:
    """Checks that this system has what run folders need.

    Raises:
        UsageError: it lacks ``flock``, as Windows does.
    """
    if importlib.util.find_spec("fcntl") is None:
        raise UsageError(
            f"compress, export and finetune are not supported on {sys.platform}: they keep a run folder to one process with"
            " flock, which it lacks",
            "run them on Linux or macOS; on Windows, inside WSL. bench, eval, inspect, profile, gate and report work here",
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a run folder.

    Args:
        folder: Exists.

    Raises:
        UsageError: another process holds it, the file system or the operating system has no such locks, or the name of
            the lock is a link.
    """
    check_run_folders()
    import fcntl

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
