"""A machine that artifacts are measured on: this one, or a board."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgevit.backends import Backend
from edgevit.measure.emulation import emulation
from edgevit.measure.host import check_threads, host_fingerprint
from edgevit.results.measurement import HOST, Host
from edgevit.run.child_process import Child, start_cold
from edgevit.run.executor import processors
from edgevit.run.packages import is_installed


@dataclass(frozen=True)
class Machine:
    """Where children run, and what they find there."""

    name: str
    """That measurements have as their device."""
    host: Host
    start: Callable[[IO[bytes]], Child]
    """Starts a child there, see :func:`edgevit.run.child_process.run_in_child`."""
    send: Callable[[Path], Path]
    """Makes a file of this machine, with those beside it that it needs, known there; returns its path there."""
    at_once: int
    """Artifacts that may be loaded side by side."""
    shown: str
    """For people: "this host"."""
    lacks: Callable[[Backend], str]
    """Returns why a backend cannot be used there; "" where it can."""
    scratch: Callable[[], AbstractContextManager[Path]]
    """Gives a folder there for files that are not kept; it may have to be made first."""
    emulated: str = ""
    """Why it is known to be emulated; "" if nothing says so."""

    @property
    def is_here(self) -> bool:
        """Whether it is this machine."""
        return self.name == HOST


def this_machine(threads: int) -> Machine:
    """Returns this machine.

    Args:
        threads: That will be used.

    Raises:
        UsageError: it has too few processors for them.
    """
    check_threads(threads)
    return Machine(
        name=HOST,
        host=host_fingerprint(threads),
        start=start_cold,
        send=Path.absolute,
        at_once=processors(),
        shown="this host",
        lacks=_lacks,
        scratch=_scratch,
        emulated=emulation(),
    )


def _lacks(backend: Backend) -> str:
    return "" if is_installed(backend.runtime) else f"{backend.runtime} is not installed"


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder:
        yield Path(folder)
