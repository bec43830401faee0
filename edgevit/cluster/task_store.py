"""The tasks of one run in a store: under which key each is, what is there, and bringing it into the run folder."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgevit.cluster.parcel import read_answers
from edgevit.errors import CandidateFailed
from edgevit.run.files import leaves_folder
from edgevit.run.folder import RunFolder
from edgevit.run.task import Task
from edgevit.store.record import Blob, Failure, Record, StoredRun
from edgevit.store.store import Store


@dataclass(frozen=True)
class Keys:
    """Of one or several tasks that are carried out together."""

    own: str
    """For this run."""
    shared: str
    """For any run; the same, but for what is timed, which is measured anew in each run."""


@dataclass(frozen=True)
class Basis:
    """What answers depend on, besides the tasks themselves."""

    versions: Mapping[str, str]
    """See :func:`edgevit.cluster.machine.computing_versions`."""
    isa: str
    """See :func:`edgevit.cluster.machine.isa_class`."""
    threads: Mapping[str, str]
    """Thread variables, see :func:`edgevit.run.child_process.thread_variables`."""
    ruler: str
    """The machine that times are from: its name, processor and number of cores."""


@dataclass(frozen=True)
class TaskStore:
    """A store, as a run uses it; may be used by several threads."""

    store: Store
    folder: RunFolder
    run: StoredRun
    basis: Basis
    reuse_measurements: bool = False
    """Whether what another run has timed on the same machine counts."""
    _stored: dict[str, Blob] = field(default_factory=dict, repr=False)
    """Files of this run that are known to be stored, by sha256."""
    _timed: Counter[str] = field(default_factory=Counter, repr=False)
    """How often each thing was asked to be timed: a second time it is to be timed again."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def keys(self, tasks: Sequence[Task[Any, Any]], timing: bool) -> Keys:
        """Returns the keys of tasks that are carried out together; what is timed gets others each time it is asked for.

        Args:
            tasks: In their order.
            timing: Whether they time something.
        """
        document: dict[str, Any] = {
            "tasks": [task.key(self.folder.path, self.folder.digest) for task in tasks],
            "versions": self.basis.versions,
            "threads": self.basis.threads,
            "isa": self.basis.isa if any(task.by_isa for task in tasks) else None,
        }
        if not timing:
            return Keys(_digest(document), _digest(document))
        document["machine"] = self.basis.ruler
        with self._lock:
            question = _digest(document)
            document["time"] = self._timed[question]
            self._timed[question] += 1
        return Keys(own=_digest({**document, "run": self.run.id}), shared=_digest(document))

    def find(self, keys: Keys) -> Record | None:
        """Returns what is stored of tasks; None where nothing is that this run may use.

        Raises:
            CandidateFailed: they have failed in this run.
        """
        failure = self.store.failure(self.run.id, keys.own)
        if failure is not None:
            raise CandidateFailed(failure.message, failure.hint)
        found = self.store.record(keys.own)
        return self.store.record(keys.shared) if found is None and self.reuse_measurements else found

    def keep(self, record: Record, keys: Keys) -> None:
        """Stores the record of tasks whose files are stored; what was timed also for runs that reuse measurements."""
        self.store.put_record(record)
        if keys.shared != keys.own:
            self.store.put_record(replace(record, key=keys.shared))

    def fail(self, keys: Keys, error: CandidateFailed) -> None:
        """Notes that tasks have failed, so that this run does not try them again."""
        self.store.put_failure(self.run.id, keys.own, Failure(error.message, error.hint))

    def put(self, path: Path) -> Blob:
        """Stores a file of the run."""
        digest = self.folder.digest(path)
        if digest not in self._stored:
            self._stored[digest] = self.store.put(path)
        return self._stored[digest]

    def forget(self) -> None:
        """Looks again whether files are stored, for one was found to be missing."""
        self._stored.clear()

    def restore(self, record: Record) -> list[Any] | None:
        """Brings the files of a record into the run folder, and returns its answers as plain JSON values.

        Returns:
            None where a file is missing or damaged, so that it has to be made again.

        Raises:
            DiskFull: there is no space left.
            CandidateFailed: the record names a file outside the run folder.
        """
        for name, blob in record.files.items():
            path = self.folder.path / name
            if leaves_folder(name):
                raise CandidateFailed(f"a record in {self.store.url} names a file outside the run folder: {name}")
            is_there = path.is_file() and self.folder.digest(path) == blob.sha256
            if not is_there and not self.store.fetch(blob, path):
                return None
        self.store.note_use(self.run.id, record.key)
        return read_answers(record.answer, self.folder.path)


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
