"""Where the tasks of a run are carried out, and the one function that opens what does it."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.cluster.machine import computing_versions, isa_class
from edgevit.cluster.stored_executor import StoredExecutor
from edgevit.cluster.task_store import Basis, TaskStore
from edgevit.errors import UsageError
from edgevit.results.measurement import Host
from edgevit.run.child_process import thread_variables
from edgevit.run.executor import Executor, processors
from edgevit.run.folder import RunFolder
from edgevit.store.record import StoredRun
from edgevit.store.store import Store, open_store

if TYPE_CHECKING:  # without a cluster no engine is imported
    from edgevit.cluster.client import Cluster


@dataclass(frozen=True)
class Where:
    """Where tasks are carried out, and where what comes of them is kept besides the run folder."""

    jobs: int | None = None
    """Tasks side by side on this machine; as many as there are processors when None."""
    cluster: str = ""
    """Address of a Dask scheduler, such as "tls://desk:8786"; this machine when empty."""
    store: str = ""
    """See :func:`edgevit.store.place.open_place`; none when empty, or with a cluster the one in the user's cache."""
    tls: Path | None = None
    """Folder with the certificate and key of the cluster, see :func:`edgevit.cluster.engine.write_certificate`."""
    reuse_measurements: bool = False
    """Whether what another run has timed on the same machine counts; else each run measures anew."""


HERE = Where()
_RULER = "machine that times are from"
"""What a run on a cluster is pinned to."""


@dataclass(frozen=True)
class Compute:
    """What carries out tasks, before it is known which run they belong to."""

    jobs: int
    """Tasks that a run asks for side by side."""
    slots: int
    """Tasks that are carried out side by side."""
    _where: Where
    _store: Store | None
    _cluster: Cluster | None

    @property
    def host(self) -> Host | None:
        """The machine that all times of a run are from; None for this one."""
        return self._cluster.ruler.host if self._cluster else None

    @property
    def description(self) -> str:
        """For people: "3 machines, 12 slots; times are from desk"; "" for this machine alone."""
        return self._cluster.description if self._cluster else ""

    def executor(self, folder: RunFolder, timeout_seconds: float, host: Host) -> AbstractContextManager[Executor]:
        """Opens what carries out the tasks of a run.

        Args:
            folder: Of the run, entered.
            timeout_seconds: For one task.
            host: The machine that times are from.
        """
        log = folder.log("servers")
        if self._store is None:
            return Executor(self.jobs, timeout_seconds, log)
        ruler = self._cluster.ruler.name if self._cluster else platform.node()
        basis = Basis(
            versions=computing_versions(),
            isa=isa_class(host),
            threads=thread_variables(),
            ruler=f"{ruler}: {host.cpu}, {host.cores} cores",
        )
        run = _stored_run(folder)
        if self._cluster is not None:
            folder.pin(_RULER, self._cluster.ruler.name)
        self._store.begin_run(run)
        tasks = TaskStore(self._store, folder, run, basis, self._where.reuse_measurements)
        if self._cluster is None:
            return StoredExecutor(self.jobs, timeout_seconds, log, tasks=tasks)
        from edgevit.cluster.cluster_executor import ClusterExecutor

        return ClusterExecutor(self.jobs, timeout_seconds, log, tasks=tasks, cluster=self._cluster)


@contextmanager
def open_compute(where: Where, folder: RunFolder) -> Iterator[Compute]:
    """Opens what carries out tasks: this machine, this machine with a store, or a cluster.

    Args:
        where: As the user asked.
        folder: Of the run, which need not be entered yet; one that is resumed has its times from the same machine as before.

    Raises:
        UsageError: the settings do not fit together; or the store cannot be used, here or by a worker; or the cluster is not there, has no
            worker, has one of another version, or is open to anybody.
    """
    if not where.cluster:
        if where.tls is not None:
            raise UsageError("--tls is for a cluster", "add --cluster tls://HOST:PORT")
        if where.reuse_measurements and not where.store:
            raise UsageError("--reuse-measurements looks into a store", "add --store, or --cluster")
        jobs = where.jobs or processors()
        store = open_store(where.store) if where.store else None
        if store is not None:
            with store.probe():
                pass
        yield Compute(jobs, jobs, where, store, None)
        return
    if where.jobs is not None:
        raise UsageError(
            "--jobs is for this machine", "leave it out; `edgevit worker --jobs` says it for each of a cluster"
        )
    store = open_store(where.store or str(default_store()))
    if store.url.startswith("memory://"):
        raise UsageError(
            f"{store.url} is in the memory of this process, where no worker sees it",
            "give --store a folder that all machines share, or a bucket",
        )
    from edgevit.cluster.client import open_cluster

    with open_cluster(where.cluster, where.tls, folder.noted(_RULER)) as cluster:
        cluster.check_store(store)
        yield Compute(cluster.window, cluster.slots, replace(where, store=store.url), store, cluster)


def default_store() -> Path:
    """Returns where the store of a cluster is when none is named: in the user's cache."""
    return cache_folder() / "store"


def cache_folder() -> Path:
    """Returns edgevit's folder in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "edgevit"


def _stored_run(folder: RunFolder) -> StoredRun:
    """A run by its folder and when it began: a resumed one is the same."""
    name = f"{getpass.getuser()}@{platform.node()}: {folder.path}"
    identity = hashlib.sha256(f"{name}\n{folder.created_at}".encode()).hexdigest()
    return StoredRun(identity[:16], name, folder.created_at)
