"""Dask distributed, the engine: scheduler, worker and client. This file alone imports it.

Of Dask, submit, key, resources and priority are used, nothing else but how long a client collects messages: answers live in the store, so that a worker that dies
takes none along. A worker's thread only waits for the child process that does the work.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgevit.cluster.address import (
    CERTIFICATE,
    KEY,
    check_address,
    check_listens,
    host_of,
    is_loopback,
    no_scheduler,
)
from edgevit.cluster.carry_out import Workplace
from edgevit.cluster.machine import Holding, Machine
from edgevit.cluster.parcel import Outcome, Parcel
from edgevit.cluster.resources import BOARD, Needs, supply_of
from edgevit.errors import CandidateFailed, UsageError, first_line
from edgevit.results.document import from_json, to_json
from edgevit.store.store import open_store

try:
    import dask
    from distributed import Client, KilledWorker, Scheduler, Security, Worker, WorkerPlugin, get_worker
    from distributed.client import FutureCancelledError
except ImportError as error:
    raise UsageError(
        f"a cluster needs Dask distributed: {first_line(error)}", "pip install 'edgevit[cluster]'"
    ) from error

_PLUGIN = "edgevit"
_PROGRESS = "edgevit-progress"
"""Topic of Dask's events."""
_PROGRESS_EVERY_S = 0.5
_PRIVATE = "127.0.0.1:0"
"""Of the pages that Dask serves of its state, without asking who reads them."""
_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 1.0
"""For the goodbye of a client: Ctrl-C ends a run within two seconds, and the scheduler misses it without."""
_BATCH_SECONDS = 0.002
"""That a client collects messages for before it sends them; Dask's 10 ms are most of what a task costs where one follows the other."""
_ALLOWED_DEATHS = 1
"""Workers that may die with a task before it is the task's fault: the second time, at another place, it is."""
_SETTINGS = {
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.allowed-failures": _ALLOWED_DEATHS,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.worker.profile.enabled": False,
}


@dataclass(frozen=True)
class Serving:
    """A scheduler or worker that is ready."""

    name: str
    """Of the machine in the cluster; "scheduler" for one."""
    address: str


class LostScheduler(UsageError):
    """The scheduler of a cluster has ended, or cannot be reached any more (exit 2)."""


def write_certificate(folder: Path) -> None:
    """Writes a new certificate and key, with which machines of one cluster know each other.

    Args:
        folder: Where to; is made.

    Raises:
        UsageError: it has such files already.
    """
    for name in (CERTIFICATE, KEY):
        if (folder / name).exists():
            raise UsageError(
                f"{folder} has a {name} already", "choose another folder, or remove it; all machines need the same"
            )
    made = Security.temporary()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((CERTIFICATE, made.tls_ca_file), (KEY, made.tls_client_key)):
        number = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="ascii") as stream:
            stream.write(text)


def serve_scheduler(host: str, port: int, tls: Path | None, tell: Callable[[Serving], None]) -> None:
    """Serves as the scheduler of a cluster until it is interrupted.

    Args:
        host: Name or address of this machine that others know; a loopback one without TLS.
        port: To listen on; 0 for any that is free.
        tls: See :func:`edgevit.cluster.address.check_address`, also for what it raises.
        tell: Called once it is ready.
    """
    check_address(f"{'tcp' if tls is None else 'tls'}://{host}:{port}", tls)
    _quiet(logging.WARNING)

    async def serve() -> None:
        with dask.config.set(_SETTINGS):
            try:
                scheduler = await Scheduler(
                    host=host,
                    port=port,
                    protocol="tcp" if tls is None else "tls",
                    security=_security(tls),
                    dashboard=False,
                    dashboard_address=_PRIVATE,
                )
            except (OSError, RuntimeError) as error:
                raise UsageError(
                    f"cannot listen on {host}:{port}: {first_line(error.__cause__ or error)}",
                    "give another --host or --port",
                ) from error
            async with scheduler:
                tell(Serving("scheduler", scheduler.address))
                await scheduler.finished()

    asyncio.run(serve())


def serve_worker(
    url: str, machine: Machine, workplace: Workplace, scratch: Path, tls: Path | None, tell: Callable[[Serving], None]
) -> None:
    """Serves as a worker until it is interrupted or the scheduler is gone.

    Args:
        url: Of the scheduler.
        machine: This one.
        workplace: Carries out what is asked.
        scratch: Folder for what Dask keeps.
        tls: See :func:`edgevit.cluster.address.check_address`, also for what it raises.
        tell: Called once it is ready.

    Raises:
        UsageError: there is no scheduler, or it has ended; or it has a worker of that name, or with one of the boards.
    """
    check_address(url, tls)
    check_listens(url, _CONNECT_SECONDS)
    _quiet(logging.ERROR)

    async def serve() -> None:
        with dask.config.set(_SETTINGS):
            await _check_alone(url, machine, tls)
            worker = Worker(
                url,
                nthreads=machine.slots,
                name=machine.name,
                resources=supply_of(machine),
                security=_security(tls),
                host=host_of(url) if is_loopback(host_of(url)) else None,
                local_directory=str(scratch),
                death_timeout=_CONNECT_SECONDS,
                dashboard_address=_PRIVATE,
                memory_limit=0,  # the memory is that of the children
                plugins=(_Edgevit(machine, workplace),),
            )
            try:
                await worker
            except (OSError, ValueError, RuntimeError, asyncio.TimeoutError) as error:
                raise UsageError(
                    f"{url} takes no worker: {first_line(error.__cause__ or error)}",
                    "is it the scheduler of `edgevit cluster start`?",
                ) from error
            async with worker:
                tell(Serving(machine.name, worker.address))
                await worker.finished()
        raise LostScheduler(f"the scheduler at {url} has ended", "start it, then this worker again")

    asyncio.run(serve())


async def _check_alone(url: str, machine: Machine, tls: Path | None) -> None:
    """Refuses a name, or a board, that another worker has."""
    try:
        async with Client(
            url, security=_security(tls), asynchronous=True, timeout=_CONNECT_SECONDS, set_as_default=False
        ) as client:
            workers = (await client.scheduler.identity(n_workers=-1))["workers"].values()
    except (OSError, asyncio.TimeoutError) as error:
        raise no_scheduler(url, error) from error
    for worker in workers:
        if worker["name"] == machine.name:
            raise UsageError(
                f"{url} has a worker named {machine.name} already, at {worker['host']}", "give --name another"
            )
        for board in machine.boards:
            if BOARD + board in worker["resources"]:
                raise UsageError(
                    f"the board {board} belongs to the worker {worker['name']} already", "one machine has a board"
                )


class _Edgevit(WorkerPlugin):  # type: ignore[misc]  # Dask has no types
    """What a worker of edgevit has that one of Dask alone has not."""

    name = _PLUGIN

    def __init__(self, machine: Machine, workplace: Workplace) -> None:
        self.machine, self.workplace = machine, workplace

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Ends the child of a task that nobody waits for any more; Dask itself would let it run on."""
        if start in ("executing", "long-running") and finish == "released":
            self.workplace.kill(str(key))

    def teardown(self, worker: Worker) -> None:
        """Ends all children."""
        self.workplace.close()


def _carry_out(parcel: Parcel) -> Outcome:
    """Runs in a thread of a worker."""
    worker = get_worker()
    key, last = str(worker.get_current_task()), 0.0

    def progress(done: int, total: int, note: str) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= _PROGRESS_EVERY_S:
            last = time.monotonic()
            worker.log_event(_PROGRESS, {"key": key, "done": done, "total": total, "note": note})

    outcome: Outcome = worker.plugins[_PLUGIN].workplace.carry_out(key, parcel, progress)
    return outcome


def _describe(dask_worker: Worker) -> str | None:
    """Runs on every worker: what it is, as JSON; None of one that is not edgevit's."""
    plugin = dask_worker.plugins.get(_PLUGIN)
    return None if plugin is None else to_json(replace(plugin.machine, holds=plugin.workplace.holds)).decode()


def _check_store(url: str, probe: str) -> str:
    """Runs on every worker: why it cannot use a store; "" where it can."""
    try:
        store = open_store(url)
        if store.place.read(probe) is None:
            return "it does not see what this machine has just written there"
        with store.probe():
            pass
    except (OSError, UsageError) as error:
        return first_line(error)
    return ""


@dataclass(frozen=True)
class Offer:
    """A worker, as the scheduler knows it."""

    name: str
    address: str
    supply: Mapping[str, float]
    """See :func:`edgevit.cluster.resources.supply_of`."""


@dataclass(frozen=True)
class Submitted:
    """A parcel that the scheduler has."""

    name: str
    """What it is, for people."""
    _future: Any
    _forget: Callable[[], None]

    def when_done(self, call: Callable[[], None]) -> None:
        """Calls a function, in some thread, once :attr:`is_done`."""
        self._future.add_done_callback(lambda _: call())

    @property
    def is_done(self) -> bool:
        """Whether there is an outcome, or there never will be."""
        return bool(self._future.done())

    def outcome(self) -> Outcome:
        """Returns what came of it.

        Raises:
            CandidateFailed: workers died with it.
            LostScheduler: the scheduler is gone.
        """
        try:
            outcome: Outcome = self._future.result()
        except KilledWorker as error:
            raise CandidateFailed(
                f"{self.name}: workers of {_ALLOWED_DEATHS + 1} machines died while they carried it out"
            ) from error
        except (FutureCancelledError, asyncio.CancelledError) as error:
            raise LostScheduler(
                "the scheduler of the cluster is gone", "start it and its workers, then go on with --resume"
            ) from error
        return outcome

    def drop(self) -> None:
        """Lets the scheduler know that nobody waits for it any more."""
        self._forget()
        self._future.release()


class Engine:
    """A connection to a scheduler; may be used by several threads."""

    def __init__(self, client: Client, url: str) -> None:
        self._client, self._url = client, url
        self._listeners: dict[str, Callable[[int, int, str], None]] = {}
        client.subscribe_topic(_PROGRESS, self._hear)

    def workers(self) -> tuple[Offer, ...]:
        """Returns what each worker offers.

        Raises:
            LostScheduler: the scheduler is gone.
        """
        # not scheduler_info(), whose answer a periodic call of the client replaces by one without workers
        try:
            found = self._client.sync(self._client.scheduler.identity, n_workers=-1)["workers"]
        except (OSError, AttributeError, asyncio.TimeoutError) as error:  # no scheduler: it was closed
            raise LostScheduler(
                f"the scheduler at {self._url} is gone", "start it and its workers, then go on with --resume"
            ) from error
        return tuple(Offer(str(each["name"]), address, each["resources"]) for address, each in found.items())

    def names(self) -> Mapping[str, str]:
        """Returns the name of each worker, by its address."""
        return {offer.address: offer.name for offer in self.workers()}

    def describe(self) -> dict[str, str | None]:
        """Returns what each worker tells of itself, as JSON, by its address; None for one that is not edgevit's."""
        found = self._client.run(_describe, on_error="return")
        return {address: told if isinstance(told, str) else None for address, told in found.items()}

    def board_holder(self, board: str) -> Holding | None:
        """Returns what holds a board now; None where nothing of this cluster does."""
        told = [from_json(Machine, text.encode()) for text in self.describe().values() if text]
        return next((each for machine in told for each in machine.holds if each.board == board), None)

    def check_store(self, url: str, probe: str) -> dict[str, str]:
        """Returns why workers cannot use a store, by their address; "" for those that can.

        Args:
            url: Of the store.
            probe: See :meth:`edgevit.store.store.Store.probe`.
        """
        return {
            address: told if isinstance(told, str) else first_line(told)
            for address, told in self._client.run(_check_store, url, probe, on_error="return").items()
        }

    def submit(
        self,
        name: str,
        parcel: Parcel,
        needs: Needs,
        workers: Sequence[str] | None,
        on_progress: Callable[[int, int, str], None] | None,
    ) -> Submitted:
        """Asks for a parcel to be carried out.

        Args:
            name: Its key for Dask: two that have the same are carried out once.
            parcel: What to do.
            needs: Of a worker.
            workers: Addresses of those that may do it; None for all.
            on_progress: Gets what its child reports.
        """
        if on_progress is not None:
            self._listeners[name] = on_progress
        future = self._client.submit(
            _carry_out,
            parcel,
            key=name,
            workers=workers,
            resources=dict(needs.amounts),
            priority=needs.priority,
            pure=False,
        )
        return Submitted(parcel.targets[0], future, lambda: self._forget(name))

    def _forget(self, name: str) -> None:
        self._listeners.pop(name, None)

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        _, told = event
        listener = self._listeners.get(told["key"])
        if listener is not None:
            listener(told["done"], told["total"], told["note"])


@contextmanager
def connect(url: str, tls: Path | None) -> Iterator[Engine]:
    """Connects to a scheduler.

    Args:
        url: See :func:`edgevit.cluster.address.check_address`.
        tls: Likewise.

    Raises:
        UsageError: there is no scheduler; or it listens to other machines without TLS.
    """
    check_address(url, tls)
    check_listens(url, _CONNECT_SECONDS)
    _quiet(logging.CRITICAL)
    try:
        client = Client(url, security=_security(tls), timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, asyncio.TimeoutError) as error:
        raise no_scheduler(url, error) from error
    try:
        listens = client.scheduler_info()["address"]
        if tls is None and not is_loopback(host_of(listens)):
            raise UsageError(
                f"the scheduler at {url} listens on {listens} without TLS: whoever reaches it can run anything on its workers",
                "start it with `edgevit cluster start`",
            )
        client.scheduler_comm.interval = _BATCH_SECONDS
        yield Engine(client, url)
    finally:
        client.close(timeout=_CLOSE_SECONDS)


def _security(tls: Path | None) -> Security | None:
    if tls is None:
        return None
    certificate, key = str(tls / CERTIFICATE), str(tls / KEY)
    roles = ("client", "scheduler", "worker")
    files = {f"tls_{role}_{kind}": path for role in roles for kind, path in (("cert", certificate), ("key", key))}
    return Security(require_encryption=True, tls_ca_file=certificate, **files)


def _quiet(level: int) -> None:
    for name in (
        "distributed",
        "distributed.client",
        "distributed.scheduler",
        "distributed.worker",
        "tornado",
        "bokeh",
    ):
        logging.getLogger(name).setLevel(level)
