"""A cluster, as a run sees it: its machines, which of them times are from, and whether all of them may work for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgevit.cluster.engine import Engine, connect
from edgevit.cluster.machine import Machine, computing_versions, version_differences, versions_in
from edgevit.errors import UsageError
from edgevit.results.document import from_json
from edgevit.store.store import Store

_TASKS_PER_SLOT = 2
"""That the scheduler has at a time: one runs, and one waits so that no slot idles; Dask gives tasks to workers at once, so more
of them would never get to a machine that joins later."""
_MOST_DIFFERENCES = 4


@dataclass(frozen=True)
class Cluster:
    """Machines that may work for a run."""

    url: str
    engine: Engine
    machines: tuple[Machine, ...]
    """By name."""
    ruler: Machine
    """All times of a run on hosts are from this one."""

    @property
    def slots(self) -> int:
        """Tasks that are carried out side by side."""
        return sum(machine.slots for machine in self.machines)

    @property
    def window(self) -> int:
        """Tasks that are asked for side by side."""
        return _TASKS_PER_SLOT * self.slots

    @property
    def description(self) -> str:
        """For people."""
        machines = len(self.machines)
        return (
            f"cluster {self.url}: {machines} machine{'s' if machines > 1 else ''}, {self.slots} tasks side by side;"
            f" times are from {self.ruler.name}"
        )

    def check_store(self, store: Store) -> None:
        """Checks that this machine and every worker can use a store.

        Raises:
            UsageError: names the first that cannot, and why.
        """
        names = self.engine.names()
        with store.probe() as probe:
            found = self.engine.check_store(store.url, probe)
        for name, fault in sorted((names.get(address, address), fault) for address, fault in found.items()):
            if fault:
                raise UsageError(
                    f"the store {store.url} cannot be used by the worker {name}: {fault}",
                    "give --store a folder that all machines share under one path, or a bucket such as s3://bucket/folder",
                )


@contextmanager
def open_cluster(url: str, tls: Path | None, ruler: str | None = None) -> Iterator[Cluster]:
    """Connects to a cluster and checks its machines.

    Args:
        url: See :func:`edgevit.cluster.address.check_address`, also for what it raises.
        tls: Likewise.
        ruler: Name of the machine that times have to be from; the first by name when None.

    Raises:
        UsageError: there is no scheduler, or it has no worker; or one has other versions; or the ruler is not there.
    """
    with connect(url, tls) as engine:
        machines = _machines(engine, url)
        found = [machine for machine in machines if ruler in (None, machine.name)]
        if not found:
            raise UsageError(
                f"the times of this run are from {ruler}, which is no worker of {url} now"
                f" (there are: {', '.join(machine.name for machine in machines)})",
                "start its worker, or choose another --out",
            )
        yield Cluster(url, engine, machines, found[0])


def _machines(engine: Engine, url: str) -> tuple[Machine, ...]:
    here, names = computing_versions(), engine.names()
    told = {names.get(address, address): text for address, text in engine.describe().items() if text is not None}
    if not told:
        raise UsageError(f"the cluster at {url} has no worker", f"start one on each machine: edgevit worker {url}")
    for name, text in sorted(told.items()):
        check_versions(name, here, versions_in(text))
    return tuple(from_json(Machine, told[name].encode()) for name in sorted(told))


def check_versions(name: str, here: Mapping[str, str], there: Mapping[str, str] | None) -> None:
    """Refuses a worker whose answers would not be those of this machine.

    Args:
        name: Of the worker.
        here: See :func:`edgevit.cluster.machine.computing_versions`.
        there: Likewise, of the worker; None where it tells none.

    Raises:
        UsageError: names what differs, with both versions.
    """
    found = version_differences(here, there or {})
    if found:
        more = f"; and {len(found) - _MOST_DIFFERENCES} more" if len(found) > _MOST_DIFFERENCES else ""
        raise UsageError(
            f"the worker {name} has other versions: {'; '.join(found[:_MOST_DIFFERENCES])}{more}",
            "install the same there, or stop its worker; `edgevit cluster status` names all versions",
        )
