"""Carries out the stages of a run, and the tasks of a command that has no run folder."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgevit.errors import CandidateFailed
from edgevit.run.child_process import Task, run_in_child
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Progress
from edgevit.spec.spec import MeasureSpec

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class ChildRunner:
    """Carries out tasks in child processes: with a time limit, a log, and progress."""

    timeout_seconds: float
    """For one task."""
    log: Path
    """Gets what they print."""
    progress: Progress

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
        )
        self.progress.stage(name, 1, 1)
        return answer


@contextmanager
def child_runner(progress: Progress, timeout_seconds: float | None = None) -> Iterator[ChildRunner]:
    """Gives a runner for a command without a run folder; the log stays where a task failed, for its error names it.

    Args:
        progress: Progress callback.
        timeout_seconds: For one task; that of a run when None.
    """
    folder = Path(tempfile.mkdtemp(prefix="edgevit-"))
    keep = False
    try:
        yield ChildRunner(
            MeasureSpec().timeout_seconds if timeout_seconds is None else timeout_seconds, folder / "log", progress
        )
    except CandidateFailed:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(folder)


@dataclass(frozen=True)
class Stages:
    """Carries out the stages of a run, each once: a finished one is read back from the run folder."""

    folder: RunFolder
    timeout_seconds: float
    """For one child process."""
    progress: Progress

    def run(
        self,
        stage: str,
        kind: type[Answer],
        make: Callable[[], Answer],
        files: Callable[[Answer], Iterable[Path]] = lambda answer: (),
    ) -> Answer:
        """Carries out a stage in this process, unless it is finished; see :meth:`RunFolder.stage`."""
        self.progress.stage(stage, 0, 1)
        answer = self.folder.stage(stage, kind, make, files)
        self.progress.stage(stage, 1, 1)
        return answer

    def run_in_child(self, stage: str, log: str, task: Task[Any, Answer]) -> Answer:
        """Carries out a stage in a child process, unless it is finished.

        Args:
            stage: Unique in the run.
            log: Name of the log that gets what the process prints.
            task: See :func:`edgevit.run.child_process.run_in_child`, also for what it raises.
        """
        make = functools.partial(
            run_in_child,
            task,
            timeout_seconds=self.timeout_seconds,
            log=self.folder.log(log),
            on_progress=functools.partial(self.progress.stage, stage),
        )
        return self.run(stage, task.answer, make, task.files)
