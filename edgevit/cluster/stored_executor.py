"""Carries out tasks on this machine, unless a store has their answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar, cast

from edgevit.cluster.parcel import digests, written_answers
from edgevit.cluster.task_store import Keys, TaskStore
from edgevit.errors import CandidateFailed, ProcessKilled
from edgevit.results.document import from_document, to_document
from edgevit.run.child_process import OnProgress
from edgevit.run.executor import Executor
from edgevit.run.files import open_to_append
from edgevit.run.task import AnyTask, Task
from edgevit.store.record import Record

Answer = TypeVar("Answer")
_MOST_TRIES = 3
"""For an answer whose files keep getting lost in the store."""


@dataclass
class StoredExecutor(Executor):
    """As its base, but each task has its record in a store: one that is there is not carried out again."""

    tasks: TaskStore = field(kw_only=True)

    def run_now(self, task: AnyTask[Answer], log: Path, on_progress: OnProgress | None = None) -> Answer:
        """See :meth:`edgevit.run.executor.Executor.run_now`."""
        if not isinstance(task, Task) or task.here:
            return super().run_now(task, log, on_progress)
        found = self._answers((task,), log, on_progress, in_turn=False)[0]
        if isinstance(found, CandidateFailed):
            raise found
        return cast(Answer, found)

    def run_in_turn(self, tasks: Sequence[AnyTask[Answer]], log: Path) -> list[Answer | CandidateFailed]:
        """See :meth:`edgevit.run.executor.Executor.run_in_turn`."""
        asked = [task for task in tasks if isinstance(task, Task) and not task.here]
        if len(asked) < len(tasks):
            return super().run_in_turn(tasks, log)
        return self._answers(asked, log, None, in_turn=True) if asked else []

    def _answers(
        self, tasks: Sequence[Task[Any, Any]], log: Path, on_progress: OnProgress | None, in_turn: bool
    ) -> list[Any]:
        """Answers of tasks that are carried out together, each a value or why there is none."""
        keys = self.tasks.keys(tasks, in_turn or any(task.timing for task in tasks))
        record = self.tasks.find(keys)
        for attempt in range(_MOST_TRIES):
            if record is None:
                record = self._make(tasks, keys, log, on_progress, in_turn, attempt)
            else:
                _tell(log, tasks, record)
            documents = self.tasks.restore(record)
            if documents is not None:
                return [_value(task, document) for task, document in zip(tasks, documents, strict=True)]
            record = None
        raise CandidateFailed(f"{tasks[0].name}: its files are lost in {self.tasks.store.url} again and again")

    def _make(
        self,
        tasks: Sequence[Task[Any, Any]],
        keys: Keys,
        log: Path,
        on_progress: OnProgress | None,
        in_turn: bool,
        attempt: int,
    ) -> Record:
        """Carries out tasks, and stores what came of them."""
        begin = time.monotonic()
        try:
            found = super().run_in_turn(tasks, log) if in_turn else [super().run_now(tasks[0], log, on_progress)]
        except ProcessKilled:
            raise  # by whoever ended the run, or for lack of memory: it may succeed another time
        except CandidateFailed as error:
            self.tasks.fail(keys, error)
            raise
        root = self.tasks.folder.path
        made = [path for task, each in zip(tasks, found, strict=True) if not _failed(each) for path in task.files(each)]
        record = Record(
            key=keys.own,
            target=tasks[0].target,
            answer=written_answers([_document(each) for each in found], root),
            files=digests(made, root, self.tasks.put),
            inputs=digests([path for task in tasks for path in task.inputs], root, self.tasks.put),
            machine=self.tasks.basis.ruler,
            seconds=time.monotonic() - begin,
            created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )
        self.tasks.keep(record, keys)
        return record


def failed_document(error: CandidateFailed) -> dict[str, Any]:
    """Returns how a record has a task that failed beside others that did not."""
    return {"failed": error.message, "hint": error.hint}


def answer_document(answer: Any) -> dict[str, Any]:
    """Returns how a record has an answer, given as plain JSON values."""
    return {"answer": answer}


def _document(found: Any) -> dict[str, Any]:
    return failed_document(found) if isinstance(found, CandidateFailed) else answer_document(to_document(found))


def _value(task: Task[Any, Any], document: dict[str, Any]) -> Any:
    if "failed" in document:
        return CandidateFailed(document["failed"], document["hint"])
    return from_document(task.answer, document["answer"])


def _failed(found: Any) -> bool:
    return isinstance(found, CandidateFailed)


def _tell(log: Path, tasks: Sequence[Task[Any, Any]], record: Record) -> None:
    """Writes into the log of a task that its answer was there."""
    with open_to_append(log) as stream:
        for task in tasks:
            stream.write(f"--- {task.target}: stored by {record.machine}, {record.created_at}\n".encode())
        stream.write(record.printed.encode())
