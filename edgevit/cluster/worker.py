"""One worker for this machine: its name, its boards, and the lock that keeps a second one away."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.cluster.address import check_address
from edgevit.cluster.carry_out import Workplace
from edgevit.cluster.execution import cache_folder
from edgevit.cluster.machine import Machine, computing_versions
from edgevit.errors import UsageError
from edgevit.results.measurement import Host
from edgevit.run.executor import processors

if TYPE_CHECKING:
    from edgevit.cluster.engine import Serving

_LOCK, _OWNER = "worker.lock", "worker.owner"


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker is asked to be."""

    url: str
    """Of the scheduler."""
    host: Host
    """This machine."""
    name: str | None = None
    """In the cluster; its host name when None."""
    jobs: int | None = None
    """Tasks side by side; as many as there are processors when None."""
    boards: tuple[str, ...] = ()
    """Addresses of boards that this machine alone may use."""
    tls: Path | None = None
    scratch: Path | None = None
    """Folder for the files of tasks; in the user's cache when None."""


def run_worker(settings: WorkerSettings, tell: Callable[[Serving], None]) -> None:
    """Serves as a worker until it is interrupted or the scheduler is gone.

    Args:
        settings: What is asked.
        tell: Called once it is ready.

    Raises:
        UsageError: see :func:`edgevit.cluster.engine.serve_worker`; or this machine has a worker already; or a board is
            named twice.
    """
    check_address(settings.url, settings.tls)
    if len(set(settings.boards)) < len(settings.boards):
        raise UsageError("a board is named twice", "name each once")
    from edgevit.cluster.engine import serve_worker

    machine = Machine(
        name=settings.name or platform.node(),
        host=settings.host,
        slots=settings.jobs or processors(),
        versions=computing_versions(),
        boards=settings.boards,
    )
    scratch = settings.scratch or cache_folder() / "worker"
    with only_worker(machine.name, settings.url):
        scratch.mkdir(parents=True, exist_ok=True)
        workplace = Workplace(machine.name, scratch)
        try:
            serve_worker(settings.url, machine, workplace, scratch, settings.tls, tell)
        finally:
            workplace.close()


@contextmanager
def only_worker(name: str, url: str) -> Iterator[None]:
    """Holds the lock of this machine's worker: two would time beside each other, and each believe to be alone.

    Args:
        name: Of the worker.
        url: Of its scheduler.

    Raises:
        UsageError: another process holds it; names whose.
    """
    from filelock import FileLock, Timeout

    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / _OWNER
    try:
        with FileLock(folder / _LOCK, timeout=0):
            owner.write_text(f"{getpass.getuser()}, process {os.getpid()}, worker {name} of {url}", encoding="utf-8")
            yield
    except Timeout as error:
        whose = owner.read_text(encoding="utf-8") if owner.is_file() else "another process"
        raise UsageError(
            f"this machine has a worker already: {whose}",
            "one machine has one worker, with --jobs for its tasks; end that one first",
        ) from error
