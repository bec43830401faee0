"""Carries out tasks on the machines of a cluster; what is timed, on one of them with nothing beside it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgevit.cluster.client import Cluster
from edgevit.cluster.engine import Submitted
from edgevit.cluster.parcel import RUN, Outcome, Parcel, digests, moved_text, write_question
from edgevit.cluster.resources import Needs, board_needs, check_met, task_needs, timing_needs
from edgevit.cluster.stored_executor import StoredExecutor
from edgevit.cluster.task_store import Keys
from edgevit.errors import CandidateFailed, DiskFull, UsageError
from edgevit.run.child_process import OnProgress
from edgevit.run.files import open_to_append
from edgevit.run.task import BoardUse, Task
from edgevit.store.record import Record

_MOST_PLACES = 3
"""Where a task is tried whose machine failed, not the task."""
_LOOK_EVERY_S = 5.0
"""Whether there is a worker left that can carry out what is waited for."""
_GRACE_S = 60.0
"""For a worker to come back, before the run ends."""


@dataclass
class ClusterExecutor(StoredExecutor):
    """As its base, on other machines. Tasks that read what only this machine has are carried out here."""

    cluster: Cluster = field(kw_only=True)

    @property
    def boards_elsewhere(self) -> bool:
        """See :attr:`edgevit.run.executor.Executor.boards_elsewhere`."""
        return True

    @property
    def at_once(self) -> int:
        """See :attr:`edgevit.run.executor.Executor.at_once`."""
        return self.cluster.ruler.slots

    def warm_up(self, preloads: Sequence[tuple[str, ...]]) -> None:
        """Does nothing: workers start their servers when they need them."""

    def _has_memory(self) -> bool:
        return True  # the tasks are elsewhere

    def _make(
        self,
        tasks: Sequence[Task[Any, Any]],
        keys: Keys,
        log: Path,
        on_progress: OnProgress | None,
        in_turn: bool,
        attempt: int,
    ) -> Record:
        needs = self._needs(tasks, in_turn or tasks[0].timing)
        avoided: set[str] = set()
        for place in range(_MOST_PLACES):
            parcel = self._parcel(tasks, keys, log, in_turn)
            name = _name(tasks[0], f"{keys.own} {self.tasks.store.url} {attempt} {place}")
            try:
                outcome = self._outcome(name, parcel, needs, avoided, on_progress, tasks[0].board)
                self._write_log(log, outcome)
                if outcome.record is not None:
                    self.tasks.keep(outcome.record, keys)
                    return outcome.record
                self._judge(outcome, tasks[0].name, is_last=place == _MOST_PLACES - 1)
            except CandidateFailed as error:
                self.tasks.fail(keys, error)
                raise
            if outcome.failure == "missing inputs":
                self.tasks.forget()
            elif outcome.failure != "cancelled":
                avoided.add(outcome.machine)
        raise AssertionError("the last place was judged")

    def _judge(self, outcome: Outcome, name: str, is_last: bool) -> None:
        """Ends a task whose failure is its own or the user's, or that has failed at the last place too.

        Raises:
            CandidateFailed: its own.
            UsageError: the user's, or that of every place.
        """
        message, hint = self._here(outcome.message), outcome.hint and self._here(outcome.hint)
        if outcome.failure == "usage":
            raise UsageError(message, hint)
        if outcome.failure == "failed" or (outcome.failure == "killed" and is_last):
            raise CandidateFailed(message, hint)
        if not is_last:
            return
        if outcome.failure == "disk full":
            raise DiskFull(f"{message} (on {outcome.machine})", "free some space there, then go on with --resume")
        if outcome.failure == "missing inputs":
            raise UsageError(
                f"{name}: its input files are lost in {self.tasks.store.url} again and again: {message}",
                f"`edgevit store verify {self.tasks.store.url}` looks for damage",
            )
        raise UsageError(f"{name} was cancelled on {outcome.machine} again and again", "go on with --resume")

    def _needs(self, tasks: Sequence[Task[Any, Any]], timing: bool) -> Needs:
        basis = self.tasks.basis
        if tasks[0].board:
            return board_needs(basis.versions, tasks[0].board.address)
        if timing:
            return timing_needs(basis.versions, self.cluster.ruler)
        return task_needs(basis.versions, basis.isa if any(task.by_isa for task in tasks) else None)

    def _parcel(self, tasks: Sequence[Task[Any, Any]], keys: Keys, log: Path, in_turn: bool) -> Parcel:
        root = self.tasks.folder.path
        return Parcel(
            key=keys.own,
            targets=tuple(task.target for task in tasks),
            questions=tuple(write_question(task, root) for task in tasks),
            preload=tasks[0].preload,
            inputs=digests([path for task in tasks for path in task.inputs], root, self.tasks.put),
            log=log.relative_to(root).as_posix(),
            in_turn=in_turn,
            timeout_seconds=self.timeout_seconds,
            threads=dict(self.tasks.basis.threads),
            store=self.tasks.store.url,
            owner=self.tasks.run.name,
            board=tasks[0].board.address if tasks[0].board else "",
        )

    def _outcome(
        self,
        name: str,
        parcel: Parcel,
        needs: Needs,
        avoided: set[str],
        on_progress: OnProgress | None,
        board: BoardUse | None,
    ) -> Outcome:
        """Submits a parcel and waits for what comes of it.

        Raises:
            UsageError: no worker can carry it out, or none is left, or the scheduler is gone.
            CandidateFailed: workers died with it.
            Cancelled: the run ends.
        """
        engine = self.cluster.engine
        offers = engine.workers()
        check_met(needs, [offer.supply for offer in offers], parcel.targets[0])
        elsewhere = [each.address for each in offers if needs.met_by(each.supply) and each.name not in avoided]
        submitted = engine.submit(name, parcel, needs, elsewhere if avoided and elsewhere else None, on_progress)
        try:
            submitted.when_done(self._tell_threads)
            self._wait_for(submitted, needs, parcel.targets[0], board)
            return submitted.outcome()
        finally:
            submitted.drop()

    def _tell_threads(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait_for(self, submitted: Submitted, needs: Needs, what: str, board: BoardUse | None) -> None:
        begin = seen = time.monotonic()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._cancelled or submitted.is_done, _LOOK_EVERY_S)
                self._check()
            if submitted.is_done:
                return
            supplies = [offer.supply for offer in self.cluster.engine.workers()]
            if any(map(needs.met_by, supplies)):
                seen = time.monotonic()
            elif time.monotonic() - seen > _GRACE_S:
                check_met(needs, supplies, what)
            if board is not None and time.monotonic() - begin > board.wait_seconds:
                self._check_board(board)

    def _check_board(self, board: BoardUse) -> None:
        """Ends the wait for a board that another run holds.

        Raises:
            UsageError: names whose.
        """
        holding = self.cluster.engine.board_holder(board.address)
        if holding is not None and holding.owner != self.tasks.run.name:
            raise UsageError(
                f"{board.address} is in use by {holding.owner} for {time.time() - holding.since:.0f} s",
                "wait for that run to end, or give --wait a longer time",
            )

    def _write_log(self, log: Path, outcome: Outcome) -> None:
        with open_to_append(log) as stream:
            stream.write(f"--- on {outcome.machine}\n{outcome.printed}".encode())

    def _here(self, text: str) -> str:
        return moved_text(text, RUN, str(self.tasks.folder.path))


def _name(task: Task[Any, Any], key: str) -> str:
    """The key for Dask, by which two runs that want the same at the same time get it carried out once."""
    return f"{task.target.rpartition(':')[2]}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
