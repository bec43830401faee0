"""What a worker does with a parcel: look whether it is done, fetch its files, run the child, store what comes of it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from edgevit.cluster.blob_cache import BlobCache
from edgevit.cluster.machine import Holding
from edgevit.cluster.parcel import RUN, FailureKind, Outcome, Parcel, digests, moved_paths, moved_text, written_answers
from edgevit.cluster.stored_executor import answer_document, failed_document
from edgevit.errors import CandidateFailed, DiskFull, EdgevitError, ProcessKilled, UsageError
from edgevit.run.child_process import OnProgress, start_cold
from edgevit.run.executor import Cancelled, Executor
from edgevit.run.files import is_full_disk
from edgevit.run.fork_server import ForkServers
from edgevit.run.task import WrittenTask
from edgevit.store.record import Record
from edgevit.store.store import Store, open_store

_PRINTED_CHARACTERS = 8_000
"""Of what a process printed: so many, the last ones, go back to the run."""


class Workplace:
    """A machine that carries out parcels, each in child processes in a folder of its own; may be used by several threads."""

    def __init__(self, machine: str, scratch: Path) -> None:
        """Prepares it.

        Args:
            machine: Name of the machine.
            scratch: A folder that this process alone uses; what is left of an earlier one in it is removed.
        """
        self._machine = machine
        self._tasks, blobs = scratch / "tasks", scratch / "blobs"
        for folder in (self._tasks, blobs):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self._cache = BlobCache(blobs)
        self._servers = ForkServers(scratch / "servers.log")
        self._memory = Executor(sys.maxsize, 0.0, scratch / "servers.log")
        """Holds up what there is no memory for; how many may run, Dask knows."""
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Executor, Holding]] = {}
        self._stores: dict[str, Store] = {}

    @property
    def holds(self) -> tuple[Holding, ...]:
        """What is carried out now."""
        with self._lock:
            return tuple(holding for _, holding in self._running.values())

    def close(self) -> None:
        """Ends all children."""
        with self._lock:
            running = [executor for executor, _ in self._running.values()]
        for executor in running:
            executor.cancel()
        self._servers.close()

    def kill(self, name: str) -> None:
        """Ends the children of a parcel, which nobody waits for any more; does nothing where it has ended."""
        with self._lock:
            found = self._running.get(name)
        if found is not None:
            found[0].cancel()

    def carry_out(self, name: str, parcel: Parcel, on_progress: OnProgress) -> Outcome:
        """Carries out a parcel, unless its record is there already.

        Args:
            name: Unique among those that run here.
            parcel: What to do.
            on_progress: Gets what the child reports.

        Raises:
            UsageError: the store cannot be used here.
        """
        store = self._store(parcel.store)
        record = store.record(parcel.key)  # Dask repeats what a machine had done that is gone
        if record is not None:
            return Outcome(record, record.machine)
        folder = Path(tempfile.mkdtemp(dir=self._tasks))
        executor = Executor(
            len(parcel.questions),
            parcel.timeout_seconds,
            folder / parcel.log,
            cold=partial(start_cold, threads=parcel.threads),
            servers=self._servers,
        )
        with self._lock:
            self._running[name] = (executor, Holding(parcel.targets[0], parcel.owner, time.time(), parcel.board))
        try:
            with self._memory.beside_others():
                return self._in_folder(folder, store, parcel, executor, on_progress)
        finally:
            with self._lock:
                del self._running[name]
            shutil.rmtree(folder, ignore_errors=True)

    def _in_folder(
        self, folder: Path, store: Store, parcel: Parcel, executor: Executor, on_progress: OnProgress
    ) -> Outcome:
        log = folder / parcel.log
        begin = time.monotonic()

        def failure(kind: FailureKind, error: EdgevitError) -> Outcome:
            hint = error.hint and moved_text(error.hint, str(folder), RUN)
            message = moved_text(error.message, str(folder), RUN)
            return Outcome(None, self._machine, kind, message, hint, _end_of(log))

        try:
            missing = [
                name for name, blob in parcel.inputs.items() if not self._cache.place(store, blob, folder / name)
            ]
            if missing:
                return Outcome(None, self._machine, "missing inputs", ", ".join(missing))
            answers = _run(parcel, folder, executor, on_progress)
            files = digests(_written(folder, parcel), folder, store.put)
        except Cancelled:
            return Outcome(None, self._machine, "cancelled")
        except DiskFull as error:
            return failure("disk full", error)
        except UsageError as error:
            return failure("usage", error)
        except ProcessKilled as error:
            return failure("killed", error)
        except CandidateFailed as error:
            return failure("failed", error)
        except OSError as error:
            if not is_full_disk(error):
                raise
            return failure("disk full", DiskFull(f"the disk of {folder} is full", "free some space there"))
        record = Record(
            key=parcel.key,
            target=parcel.targets[0],
            answer=written_answers(answers, folder),
            files=files,
            inputs=parcel.inputs,
            machine=self._machine,
            seconds=time.monotonic() - begin,
            created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            printed=_end_of(log),
        )
        store.put_record(record)
        return Outcome(record, self._machine, printed=record.printed)

    def _store(self, url: str) -> Store:
        with self._lock:
            if url not in self._stores:
                self._stores[url] = open_store(url)
            return self._stores[url]


def _run(parcel: Parcel, folder: Path, executor: Executor, on_progress: OnProgress) -> list[dict[str, Any]]:
    tasks = [
        WrittenTask(target, _question(text, folder), object, parcel.preload)
        for target, text in zip(parcel.targets, parcel.questions, strict=True)
    ]
    log = folder / parcel.log
    if not parcel.in_turn:
        return [answer_document(executor.run_now(tasks[0], log, on_progress))]
    found: Sequence[Any] = executor.run_in_turn(tasks, log)
    return [failed_document(each) if isinstance(each, CandidateFailed) else answer_document(each) for each in found]


def _question(text: str, folder: Path) -> str:
    return json.dumps(moved_paths(json.loads(text), RUN, str(folder)))


def _written(folder: Path, parcel: Parcel) -> list[Path]:
    """Every file in the folder of a task that was not given to it, but for its log."""
    given = {folder / name for name in parcel.inputs} | {folder / parcel.log}
    return sorted(path for path in folder.rglob("*") if path.is_file() and path not in given)


def _end_of(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-_PRINTED_CHARACTERS:]
    except FileNotFoundError:
        return ""
