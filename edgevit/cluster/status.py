"""The machines of a cluster, what each has and who holds it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgevit.cluster.machine import Machine, computing_versions, version_differences, versions_in
from edgevit.results.document import from_json


@dataclass(frozen=True)
class MachineStatus:
    """A worker."""

    name: str
    address: str
    machine: Machine | None
    """None of a worker that is not edgevit's, or of a version that this one cannot read."""
    isa: str | None
    """Class of instruction sets; int8 is scored on machines of one class."""
    differences: tuple[str, ...]
    """Of its versions from those here, one sentence each; a run refuses a cluster with such a worker."""


@dataclass(frozen=True)
class ClusterStatus:
    """A cluster."""

    url: str
    machines: tuple[MachineStatus, ...]
    """By name."""

    @property
    def is_usable(self) -> bool:
        """Whether a run from this machine would take it: it has a worker, and none of another version."""
        known = [each for each in self.machines if each.machine is not None or each.differences]
        return bool(known) and not any(each.differences for each in known)


def cluster_status(url: str, tls: Path | None) -> ClusterStatus:
    """Looks at a cluster.

    Args:
        url: See :func:`edgevit.cluster.address.check_address`, also for what it raises.
        tls: Likewise.

    Raises:
        UsageError: there is no scheduler.
    """
    from edgevit.cluster.engine import connect

    with connect(url, tls) as engine:
        names, told = engine.names(), engine.describe()
    found = (_status(names.get(address, address), address, text) for address, text in told.items())
    return ClusterStatus(url, tuple(sorted(found, key=lambda each: each.name)))


def status_lines(status: ClusterStatus) -> Iterator[str]:
    """Yields a cluster as lines of text."""
    if not status.machines:
        yield f"{status.url}: no workers; start one on each machine: edgevit worker {status.url}"
    for each in status.machines:
        machine = each.machine
        if machine is None:
            what = "; ".join(each.differences) or "not a worker of edgevit: it gets no tasks"
            yield f"{each.name} ({each.address}): {what}"
            continue
        yield f"{each.name} ({each.address}): {machine.host.cpu}, {machine.host.cores} cores, {each.isa}, {machine.slots} tasks side by side"
        yield f"  versions: {', '.join(f'{name} {version}' for name, version in machine.versions.items())}"
        for difference in each.differences:
            yield f"  refused: {difference}"
        for board in machine.boards:
            yield f"  board: {board}"
        for holding in machine.holds:
            on = f", on the board {holding.board}" if holding.board else ""
            yield f"  {holding.target}, for {time.time() - holding.since:.0f} s, of {holding.owner}{on}"
        if not machine.holds:
            yield "  idle"


def _status(name: str, address: str, text: str | None) -> MachineStatus:
    if text is None:
        return MachineStatus(name, address, None, None, ())
    differences = version_differences(computing_versions(), versions_in(text) or {})
    try:
        machine = from_json(Machine, text.encode())
    except ValueError:  # of another version of edgevit, which the differences name
        return MachineStatus(name, address, None, None, differences)
    return MachineStatus(name, address, machine, machine.isa, differences)
