"""A machine that artifacts are measured on: this one, or a board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from edgevit.measure.host import check_threads, host_fingerprint
from edgevit.results.measurement import HOST, Host
from edgevit.run.child_process import Child, start_cold
from edgevit.run.executor import processors


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
    return Machine(HOST, host_fingerprint(threads), start_cold, Path.absolute, processors(), "this host")
