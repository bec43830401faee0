"""Carries out tasks on this machine: side by side where they may be, and alone where something is timed.

Threads of the run ask for work and wait for it. A thread that has asked for something to be timed waits until no other
has work left that could be done first; then all that is to be timed is timed, one after the other, with nothing beside
it. So times are taken in few batches, and no processor idles for each of them.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from edgevit.errors import CandidateFailed, ProcessKilled
from edgevit.run.child_process import Child, OnProgress, run_in_child, start_cold
from edgevit.run.fork_server import ForkServers
from edgevit.run.task import AnyTask, Task

Answer = TypeVar("Answer")

_MEMORY_PER_TASK = 1_500_000_000
"""Bytes that have to be available before another task is started beside a running one."""
_LOOK_AGAIN_S = 0.5
"""Seconds after which the memory available is looked at again."""


class Cancelled(Exception):
    """Another thread of the run has failed, or was interrupted."""


@dataclass
class _Ticket:
    """A thread that waits for its turn to time something."""

    done: bool = False


@dataclass
class Executor:
    """Carries out tasks in child processes; may be used by several threads at once.

    Threads but the first are those of :meth:`side_by_side`.
    """

    jobs: int
    """Tasks side by side, at least 1."""
    timeout_seconds: float
    """For one task."""
    log: Path
    """Gets what servers print while they import."""
    start: Callable[[IO[bytes]], Child] | None = None
    """How a child starts that runs elsewhere, as on a board; None for children of this machine."""
    cold: Callable[[IO[bytes]], Child] = start_cold
    """How a child of this machine starts that has imported nothing."""
    servers: ForkServers | None = None
    """Of warm children; its own when None, which it closes."""
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _busy: int = 1
    """Threads that work, or wait for work only: those that wait to time something, or for other threads, are not."""
    _running: int = 0
    """Tasks that run and time nothing."""
    _timed_next: list[_Ticket] = field(default_factory=list)
    _timed: list[_Ticket] = field(default_factory=list)
    """Of the present batch; they go on together."""
    _children: set[Child] = field(default_factory=set)
    _cancelled: bool = False

    def __post_init__(self) -> None:
        self._servers = self.servers or ForkServers(self.log)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *exception: object) -> None:
        if self.servers is None:
            self._servers.close()

    @property
    def boards_elsewhere(self) -> bool:
        """Whether boards belong to other machines, which tasks have to be carried out on."""
        return False

    @property
    def at_once(self) -> int:
        """Processes that load side by side before they time something one after the other."""
        return self.jobs

    def warm_up(self, preloads: Sequence[tuple[str, ...]]) -> None:
        """Starts the servers that tasks will need, so that they import while other things are done."""
        if sys.platform == "linux":
            for preload in preloads:
                self._servers.server(preload)

    def run(self, task: Task[Any, Answer], log: Path, on_progress: OnProgress | None = None) -> Answer:
        """Carries out a task in a child process, when it is its turn.

        Args:
            task: What to do.
            log: Gets what the child prints.
            on_progress: See :func:`edgevit.run.child_process.run_in_child`, also for what it raises.

        Raises:
            Cancelled: the run ends.
        """
        with self.turn(task):
            return self.run_now(task, log, on_progress)

    def turn(self, task: Task[Any, Any]) -> AbstractContextManager[None]:
        """Returns what holds the place of a task: alone for one that times something, else beside others."""
        return self.alone() if task.timing else self.beside_others()

    def run_now(self, task: AnyTask[Answer], log: Path, on_progress: OnProgress | None = None) -> Answer:
        """Carries out a task without waiting, for a caller that is :meth:`alone` or :meth:`beside_others`.

        Where its process is killed from outside, as the kernel does when memory is short, it is tried once more.
        """
        return self._run_here(task, log, on_progress)

    def _run_here(
        self,
        task: AnyTask[Answer],
        log: Path,
        on_progress: OnProgress | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> Answer:
        try:
            return self._run_once(task, log, on_progress, on_ready)
        except ProcessKilled:
            return self._run_once(task, log, on_progress, on_ready)

    def _run_once(
        self,
        task: AnyTask[Answer],
        log: Path,
        on_progress: OnProgress | None,
        on_ready: Callable[[], None],
    ) -> Answer:
        started: list[Child] = []

        def start(stream: IO[bytes]) -> Child:
            with self._changed:
                self._check()
                child = self._start(task.preload, stream)
                self._children.add(child)
            started.append(child)
            return child

        try:
            return run_in_child(
                task,
                timeout_seconds=self.timeout_seconds,
                log=log,
                on_progress=on_progress,
                on_ready=on_ready,
                start=start,
            )
        except Exception:
            self._check()  # a child that was killed with the run has not failed
            raise
        finally:
            with self._changed:
                self._children.difference_update(started)

    def run_in_turn(self, tasks: Sequence[AnyTask[Answer]], log: Path) -> list[Answer | CandidateFailed]:
        """Carries out tasks whose processes load side by side, and then time something one after the other.

        For a caller that is :meth:`alone`. No process times anything before all of them are ready; where memory is short,
        that is for fewer of them at once.

        Args:
            tasks: Their functions call :func:`edgevit.run.child_process.wait_for_turn`.
            log: Gets what the children print.

        Returns:
            The answer of each, or why there is none.
        """
        room = len(tasks) if self.start else int(min(len(tasks), max(1, _available_bytes() // _MEMORY_PER_TASK)))
        answers = self._run_together(tasks[:room], log)
        return answers + self.run_in_turn(tasks[room:], log) if room < len(tasks) else answers

    def _run_together(self, tasks: Sequence[AnyTask[Answer]], log: Path) -> list[Answer | CandidateFailed]:
        ready: set[int] = set()
        ended: set[int] = set()

        def wait(place: int) -> None:
            with self._changed:
                ready.add(place)
                self._changed.notify_all()
                self._wait(lambda: len(ready | ended) == len(tasks) and ended.issuperset(range(place)))

        def carry_out(place: int) -> Answer | CandidateFailed:
            try:
                return self._run_here(tasks[place], log, on_ready=partial(wait, place))
            except CandidateFailed as error:
                return error
            finally:
                with self._changed:
                    ended.add(place)
                    self._changed.notify_all()

        return self._in_threads([partial(carry_out, place) for place in range(len(tasks))])

    def run_alternately(
        self, tasks: Sequence[AnyTask[Answer]], order: Sequence[int], log: Path
    ) -> list[Answer | CandidateFailed]:
        """Carries out tasks that live side by side and time something in short turns, one of them at a time.

        For a caller that is :meth:`alone`. No turn begins before all processes are ready; the turns of one that ended
        early are left out.

        Args:
            tasks: Their functions call :func:`edgevit.run.child_process.wait_for_turn` before each turn.
            order: Whose turn it is, each a place in ``tasks``, as often as its function asks.
            log: Gets what the children print.

        Returns:
            The answer of each, or why there is none.
        """
        left = list(order)
        ready: set[int] = set()
        ended: set[int] = set()
        turn: list[int] = []

        def is_next(place: int) -> bool:
            if turn or len(ready | ended) < len(tasks):
                return False
            return next((other for other in left if other not in ended), place) == place

        def wait(place: int) -> None:
            with self._changed:
                ready.add(place)
                turn[:] = [other for other in turn if other != place]
                self._changed.notify_all()
                self._wait(partial(is_next, place))
                turn.append(place)
                if place in left:
                    left.remove(place)

        def carry_out(place: int) -> Answer | CandidateFailed:
            try:
                return self._run_here(tasks[place], log, on_ready=partial(wait, place))
            except CandidateFailed as error:
                return error
            finally:
                with self._changed:
                    ended.add(place)
                    turn[:] = [other for other in turn if other != place]
                    self._changed.notify_all()

        return self._in_threads([partial(carry_out, place) for place in range(len(tasks))])

    @contextmanager
    def beside_others(self) -> Iterator[None]:
        """Holds one of the places for work that may be done side by side."""
        with self._changed:
            while self._running >= self.jobs or (self._running and not self._has_memory()):
                self._check()
                self._changed.wait(_LOOK_AGAIN_S)
            self._check()
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until nothing else is left to do, and holds everything else up."""
        ticket = _Ticket()
        with self._changed:
            self._timed_next.append(ticket)
            self._rest()
            self._wait(lambda: self._busy == 0 and self._timed_next[0] is ticket)
        try:
            yield
        finally:
            with self._changed:
                self._timed.append(self._timed_next.pop(0))
                if not self._timed_next:
                    self._end_batch()
                self._changed.notify_all()
                self._wait(lambda: ticket.done)

    def _has_memory(self) -> bool:
        """Whether there is room for another task beside those that run."""
        return _available_bytes() >= _MEMORY_PER_TASK

    def _end_batch(self) -> None:
        self._busy += len(self._timed)
        for ticket in self._timed:
            ticket.done = True
        self._timed.clear()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Lets other threads time something while this one waits for another."""
        with self._changed:
            self._rest()
        yield  # an error ends the run, so that nothing has to be as before
        with self._changed:
            self._wait(lambda: self._busy > 0 or not self._timed_next)  # not while something is timed
            self._busy += 1

    def side_by_side(self, calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
        """Makes calls in threads of their own, and returns what they return, in their order.

        Raises:
            Exception: the first error of any call; the others are cancelled.
        """
        if len(calls) == 1:
            return [calls[0]()]

        def work(call: Callable[[], Answer]) -> Answer:
            try:
                return call()
            finally:
                with self._changed:
                    self._rest()

        with self._changed:
            self._busy += len(calls)
        with self.waiting():
            return self._in_threads([partial(work, call) for call in calls])

    def _in_threads(self, calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
        answers: dict[int, Answer] = {}
        errors: list[BaseException] = []

        def work(place: int) -> None:
            try:
                answers[place] = calls[place]()
            except Cancelled:
                pass
            except BaseException as error:  # noqa: BLE001  raised again below, by the thread that asked
                errors.append(error)
                self.cancel()

        threads = [threading.Thread(target=work, args=(place,)) for place in range(len(calls))]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except BaseException:  # an interrupt
            self.cancel()
            for thread in threads:
                thread.join()
            raise
        if errors:
            raise errors[0]
        return [answers[place] for place in range(len(calls))]

    def cancel(self) -> None:
        """Kills every child; whoever waits or asks for something gets :class:`Cancelled`."""
        with self._changed:
            self._cancelled = True
            for child in self._children:
                child.kill()
            self._changed.notify_all()

    def _rest(self) -> None:
        self._busy -= 1
        self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool]) -> None:
        self._changed.wait_for(lambda: self._cancelled or condition())
        self._check()

    def _check(self) -> None:
        if self._cancelled:
            raise Cancelled

    def _start(self, preload: tuple[str, ...], stream: IO[bytes]) -> Child:
        if self.start:
            return self.start(stream)
        if not preload or sys.platform != "linux":
            return self.cold(stream)
        return self._servers.fork(preload, stream)


def processors() -> int:
    """Returns the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _available_bytes() -> float:
    """Memory that can be used without swapping; without limit where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")), float("inf"))
