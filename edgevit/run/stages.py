"""Carries out the stages of a run, and the tasks of a command that has no run folder."""

from __future__ import annotations

import functools
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from edgevit.errors import CandidateFailed
from edgevit.run.child_process import Child, run_in_child, start_cold
from edgevit.run.executor import Executor
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Progress
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec

Answer = TypeVar("Answer")
One = TypeVar("One")
Other = TypeVar("Other")
TimedRunner = Callable[[Sequence[Task[Any, Any]]], Sequence[Any]]
"""Carries out tasks that time something, one after the other."""


@dataclass(frozen=True)
class ChildRunner:
    """Carries out tasks in child processes: with a time limit, a log, and progress."""

    timeout_seconds: float
    """For one task."""
    log: Path
    """Gets what they print."""
    progress: Progress
    start: Callable[[IO[bytes]], Child] = start_cold
    """Starts them: here, or on a board."""

    def run(self, name: str, task: Task[Any, Answer]) -> Answer:
        """Carries out a task.

        Args:
            name: What people are told that it is.
            task: See :func:`edgevit.run.child_process.run_in_child`, also for what it raises.
        """
        self.progress.stage(name, 0, 1)
        answer = run_in_child(
            task,
            timeout_seconds=self.timeout_seconds,
            log=self.log,
            on_progress=functools.partial(self.progress.stage, name),
            start=self.start,
        )
        self.progress.stage(name, 1, 1)
        return answer


@contextmanager
def child_runner(
    progress: Progress, timeout_seconds: float | None = None, start: Callable[[IO[bytes]], Child] = start_cold
) -> Iterator[ChildRunner]:
    """Gives a runner for a command without a run folder; the log stays where a task failed, for its error names it.

    Args:
        progress: Progress callback.
        timeout_seconds: For one task; that of a run when None.
        start: See :class:`ChildRunner`.
    """
    folder = Path(tempfile.mkdtemp(prefix="edgevit-"))
    keep = False
    try:
        seconds = MeasureSpec().timeout_seconds if timeout_seconds is None else timeout_seconds
        yield ChildRunner(seconds, folder / "log", progress, start)
    except CandidateFailed:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(folder)


@dataclass(frozen=True)
class Stages:
    """Carries out the stages of a run, each once: a finished one is read back from the run folder.

    May be used by several threads at once, those of :meth:`edgevit.run.executor.Executor.side_by_side`.
    """

    folder: RunFolder
    executor: Executor
    progress: Progress
    _locks: dict[str, threading.Lock] = field(default_factory=dict, repr=False)
    """By stage: what two threads ask for is made by one."""
    _here: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """One stage at a time in this process, for not all libraries can be used by several threads."""

    def run(
        self,
        stage: str,
        kind: type[Answer],
        make: Callable[[], Answer],
        files: Callable[[Answer], Iterable[Path]] = lambda answer: (),
    ) -> Answer:
        """Carries out a stage in this process, unless it is finished; see :meth:`RunFolder.stage`.

        ``make`` may not carry out another stage.
        """
        return self._once(stage, kind, make, files, turn=self._here_beside_others())

    def run_in_child(self, stage: str, log: str, task: Task[Any, Answer]) -> Answer:
        """Carries out a stage in a child process, unless it is finished.

        Args:
            stage: Unique in the run.
            log: Name of the log that gets what the process prints.
            task: See :func:`edgevit.run.child_process.run_in_child`, also for what it raises.
        """
        make = functools.partial(
            self.executor.run_now, task, self.folder.log(log), functools.partial(self.progress.stage, stage)
        )
        turn = self.executor.turn(task)
        return self._once(
            stage, task.answer, make, task.files, key=task.key(self.folder.path, self.folder.digest), turn=turn
        )

    def run_timed(self, stage: str, log: str, kind: type[Answer], make: Callable[[TimedRunner], Answer]) -> Answer:
        """Carries out a stage of several tasks that time something, with nothing beside them, unless it is finished.

        Args:
            stage: Unique in the run.
            log: Name of the log that gets what their processes print.
            kind: Type of the value.
            make: Makes it, given a function that carries out tasks, see
                :meth:`edgevit.run.executor.Executor.run_in_turn`.
        """

        def run(tasks: Sequence[Task[Any, Any]]) -> Sequence[Any]:
            return self.executor.run_in_turn(tasks, self.folder.log(log))

        return self._once(stage, kind, lambda: make(run), turn=self.executor.alone())

    def run_elsewhere(self, stage: str, kind: type[Answer], make: Callable[[], Answer]) -> Answer:
        """Carries out a stage whose work another machine does, unless it is finished; this one may time something meanwhile.

        Args:
            stage: Unique in the run.
            kind: Type of the value.
            make: Makes it; may not carry out another stage.
        """
        return self._once(stage, kind, make, turn=self.executor.waiting())

    def run_in_child_elsewhere(self, stage: str, log: str, task: Task[Any, Answer]) -> Answer:
        """As :meth:`run_in_child`, for a task that takes no time of this machine: see :meth:`run_elsewhere`."""
        make = functools.partial(
            self.executor.run_now, task, self.folder.log(log), functools.partial(self.progress.stage, stage)
        )
        key = task.key(self.folder.path, self.folder.digest)
        return self._once(stage, task.answer, make, task.files, key=key, turn=self.executor.waiting())

    def side_by_side(self, calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """Makes calls that carry out stages, side by side; see :meth:`edgevit.run.executor.Executor.side_by_side`."""
        return self.executor.side_by_side(calls)

    def both(self, one: Callable[[], One], other: Callable[[], Other]) -> tuple[One, Other]:
        """Makes two calls side by side that return different things; see :meth:`side_by_side`."""
        found: list[Any] = self.executor.side_by_side([one, other])
        return found[0], found[1]

    def _once(
        self,
        stage: str,
        kind: type[Answer],
        make: Callable[[], Answer],
        files: Callable[[Answer], Iterable[Path]] = lambda answer: (),
        *,
        key: str = "",
        turn: AbstractContextManager[None],
    ) -> Answer:
        lock = self._locks.setdefault(stage, threading.Lock())
        if not lock.acquire(blocking=False):
            with self.executor.waiting():
                lock.acquire()
        try:
            answer = self.folder.stage(stage, kind, make, files, key=key, turn=self._told(stage, turn))
        finally:
            lock.release()
        self.progress.stage(stage, 1, 1)  # again, for one that was read back
        return answer

    @contextmanager
    def _told(self, stage: str, turn: AbstractContextManager[None]) -> Iterator[None]:
        """A turn whose begin and end are told."""
        with turn:
            self.progress.stage(stage, 0, 1)
            try:
                yield
            except BaseException:
                self.progress.failed(stage)
                raise
            self.progress.stage(stage, 1, 1)

    @contextmanager
    def _here_beside_others(self) -> Iterator[None]:
        with self._here, self.executor.beside_others():
            yield
