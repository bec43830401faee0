"""Tasks side by side: as many as may be, none beside one that times something, and an end when one fails."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import CandidateFailed, ProcessKilled, UsageError
from edgevit.run import executor as executor_module
from edgevit.run.executor import Executor
from edgevit.run.task import Task
from tests.run import child_jobs as jobs
from tests.run.child_jobs import Answer, Question

ROOT = Path(__file__).parents[2]
WARM = ("tests.run.child_jobs",)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a child import the functions of ``child_jobs``."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(params=[1, 2, 3])
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Executor]:
    with Executor(request.param, 60.0, tmp_path / "servers.log") as executor:
        yield executor


class Spans:
    """When each of several tasks ran."""

    def __init__(self, executor: Executor, folder: Path) -> None:
        self.executor, self.log = executor, folder / "log"
        self.found: list[tuple[float, float, bool]] = []

    def work(self, seconds: float = 0.1) -> None:
        self._run(Task(jobs.span, Question(numbers=(seconds,)), Answer, preload=WARM))

    def time(self, seconds: float = 0.1) -> None:
        self._run(Task(jobs.span, Question(numbers=(seconds,)), Answer, timing=True))

    def _run(self, task: Task[Any, Answer]) -> None:
        answer = self.executor.run(task, self.log)
        begin = float(answer.text)
        self.found.append((begin, begin + answer.total, task.timing))

    @property
    def most_at_once(self) -> int:
        return max(sum(a <= begin < b for a, b, _ in self.found) for begin, _, _ in self.found)

    def beside_timing(self) -> int:
        return sum(
            1
            for place, (a, b, timing) in enumerate(self.found)
            for other, (c, d, _) in enumerate(self.found)
            if timing and other != place and c < b and a < d
        )


def test_answers_come_in_the_order_of_the_calls(executor: Executor) -> None:
    calls: list[Callable[[], int]] = [partial(int, number) for number in range(5)]
    assert executor.side_by_side(calls) == [0, 1, 2, 3, 4]
    assert executor.side_by_side([]) == []


def test_as_many_tasks_at_once_as_there_are_jobs_and_no_more(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "meeting").mkdir()
    together = Task(jobs.meet, Question(str(tmp_path / "meeting"), (executor.jobs,)), Answer, preload=WARM)
    answers = executor.side_by_side([partial(executor.run, together, tmp_path / "log")] * executor.jobs)
    assert [answer.total for answer in answers] == [executor.jobs] * executor.jobs
    spans = Spans(executor, tmp_path)
    executor.side_by_side([spans.work] * 6)
    assert len(spans.found) == 6
    assert spans.most_at_once <= executor.jobs


def test_nothing_runs_beside_what_is_timed(executor: Executor, tmp_path: Path) -> None:
    spans = Spans(executor, tmp_path)

    def chain() -> None:
        spans.work(0.05)
        spans.time(0.05)
        spans.work(0.02)
        spans.time(0.05)

    executor.side_by_side([chain, chain, spans.work, lambda: spans.work(0.3)])
    assert len(spans.found) == 10
    assert spans.beside_timing() == 0


def test_what_is_timed_waits_for_all_work_and_is_timed_in_one_batch(executor: Executor, tmp_path: Path) -> None:
    spans = Spans(executor, tmp_path)

    def chain() -> None:
        spans.work(0.05)
        spans.time(0.02)
        spans.work(0.05)

    executor.side_by_side([chain] * 3)
    assert [timing for _, _, timing in sorted(spans.found)] == [False] * 3 + [True] * 3 + [False] * 3


def test_a_thread_that_waits_for_another_does_not_hold_up_what_is_timed(executor: Executor, tmp_path: Path) -> None:
    spans, lock = Spans(executor, tmp_path), threading.Lock()

    def holder() -> None:
        with lock:
            spans.time()

    def waiter() -> None:
        time.sleep(0.05)
        with executor.waiting():
            lock.acquire()
        lock.release()
        spans.work()

    executor.side_by_side([holder, waiter])
    assert [timing for _, _, timing in sorted(spans.found)] == [True, False]


def test_calls_may_be_nested(executor: Executor, tmp_path: Path) -> None:
    spans = Spans(executor, tmp_path)

    def inner() -> list[None]:
        return executor.side_by_side([spans.work, spans.time, spans.work])

    assert executor.side_by_side([inner, inner]) == [[None] * 3] * 2
    assert len(spans.found) == 6
    assert spans.beside_timing() == 0


def test_the_first_error_ends_all_others(executor: Executor, tmp_path: Path) -> None:
    log, before = tmp_path / "log", set(threading.enumerate())

    def fail() -> None:
        time.sleep(0.3)
        raise ValueError("the first")

    def asleep(**how: Any) -> Answer:
        return executor.run(Task(jobs.sleep, Question(), Answer, **how), log)

    begin = time.monotonic()
    with pytest.raises(ValueError, match="the first"):
        executor.side_by_side([fail, partial(asleep, preload=WARM), asleep, partial(asleep, timing=True)])
    assert time.monotonic() - begin < 30  # not the 60 s that the children would sleep
    assert threads_end(before)


def test_an_interrupt_ends_all_children(executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asleep() -> Answer:
        return executor.run(Task(jobs.sleep, Question(), Answer, preload=WARM), tmp_path / "log")

    joined, before = threading.Thread.join, set(threading.enumerate())

    def interrupt(thread: threading.Thread, *arguments: Any) -> None:
        monkeypatch.setattr(threading.Thread, "join", joined)
        time.sleep(0.3)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", interrupt)
    with pytest.raises(KeyboardInterrupt):
        executor.side_by_side([asleep, asleep])
    assert threads_end(before)


def in_turn(executor: Executor, folder: Path, *tasks: Task[Any, Answer]) -> list[Answer | CandidateFailed]:
    with executor.alone():
        return executor.run_in_turn(tasks, folder / "log")


def get_ready(load: float, timed: float = 0.1) -> Task[Question, Answer]:
    return Task(jobs.span_in_turn, Question(numbers=(load, timed)), Answer, preload=WARM, timing=True)


def test_children_load_side_by_side_and_time_in_their_order_when_all_are_ready(tmp_path: Path) -> None:
    with Executor(3, 60.0, tmp_path / "servers.log") as executor:
        found = in_turn(executor, tmp_path, get_ready(0.3), get_ready(0.1), get_ready(0.6))
    begins, timed, ends = [], [], []
    for answer in found:
        assert isinstance(answer, Answer)
        begin, time_began = map(float, answer.text.split())
        begins.append(begin)
        timed.append(time_began)
        ends.append(time_began + answer.total)
    assert max(begins) < min(begins) + 0.3
    assert timed[0] >= begins[2] + 0.6
    assert timed[1] >= ends[0]
    assert timed[2] >= ends[1]


def test_where_memory_is_short_fewer_load_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "_available_bytes", lambda: 1e6)
    with Executor(2, 60.0, tmp_path / "servers.log") as executor:
        found = in_turn(executor, tmp_path, get_ready(0.1), get_ready(0.1))
    first, second = found
    assert isinstance(first, Answer) and isinstance(second, Answer)
    began, first_time = map(float, first.text.split())
    assert float(second.text.split()[0]) >= first_time + first.total > began


@pytest.mark.parametrize("dies", [jobs.abort, jobs.crash_in_turn])
def test_the_others_go_on_when_a_child_dies_before_or_in_its_turn(tmp_path: Path, dies: Callable[..., Answer]) -> None:
    dying = Task(dies, Question(), Answer, preload=WARM, timing=True)
    with Executor(3, 60.0, tmp_path / "servers.log") as executor:
        first, failed, last = in_turn(executor, tmp_path, get_ready(0.1), dying, get_ready(0.1))
    assert isinstance(first, Answer)
    assert isinstance(last, Answer)
    assert isinstance(failed, CandidateFailed)
    assert "SIGABRT" in failed.message


def alternately(executor: Executor, folder: Path, order: tuple[int, ...], *tasks: Task[Any, Answer]) -> list[Any]:
    with executor.alone():
        return executor.run_alternately(tasks, order, folder / "log")


def take_turns(turns: int) -> Task[Question, Answer]:
    return Task(jobs.spans_in_turns, Question(numbers=(turns, 0.02)), Answer, preload=WARM, timing=True)


def test_turns_are_taken_in_the_order_that_was_asked_for_and_one_at_a_time(tmp_path: Path) -> None:
    order = (1, 0, 0, 1, 1, 0)
    with Executor(2, 60.0, tmp_path / "servers.log") as executor:
        found = alternately(executor, tmp_path, order, take_turns(3), take_turns(3))
    spans = []
    for place, answer in enumerate(found):
        times = list(map(float, answer.text.split()))
        spans += [(begin, end, place) for begin, end in zip(times[::2], times[1::2], strict=True)]
    assert tuple(place for _, _, place in sorted(spans)) == order
    assert all(end <= begin for (_, end, _), (begin, _, _) in pairwise(sorted(spans)))


@pytest.mark.parametrize("dies", [jobs.abort, jobs.crash_in_turn])
def test_the_turns_of_a_child_that_died_are_left_out(tmp_path: Path, dies: Callable[..., Answer]) -> None:
    dying = Task(dies, Question(), Answer, preload=WARM, timing=True)
    with Executor(2, 60.0, tmp_path / "servers.log") as executor:
        failed, other = alternately(executor, tmp_path, (0, 1, 0, 1, 0, 1), dying, take_turns(3))
    assert isinstance(failed, CandidateFailed)
    assert other.total == 3


def test_an_error_of_the_user_ends_those_that_wait_for_their_turn(tmp_path: Path) -> None:
    misused = Task(jobs.misuse, Question(text="word"), Answer, preload=WARM, timing=True)
    before = set(threading.enumerate())
    with Executor(2, 60.0, tmp_path / "servers.log") as executor, pytest.raises(UsageError, match="bad word"):
        executor.run_in_turn([misused, get_ready(0.0, 60.0)], tmp_path / "log")
    assert threads_end(before)


def test_a_crash_in_native_code_leaves_its_neighbour_alone(tmp_path: Path) -> None:
    with Executor(2, 60.0, tmp_path / "servers.log") as executor:

        def crash() -> str:
            with pytest.raises(CandidateFailed, match="SIGSEGV"):
                executor.run(Task(jobs.segfault, Question(), Answer, preload=WARM), tmp_path / "crash.log")
            return "crashed"

        def live() -> str:
            task = Task(jobs.span, Question(numbers=(0.5,)), Answer, preload=WARM)
            return f"slept {executor.run(task, tmp_path / 'live.log').total:.1f}"

        assert executor.side_by_side([live, crash]) == ["slept 0.5", "crashed"]


def test_a_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    with Executor(1, 60.0, tmp_path / "servers.log") as executor:
        task = Task(jobs.add, Question(numbers=(1.0,)), Answer, preload=WARM)
        executor.run(task, tmp_path / "log")
        server = executor._servers.server(WARM)
        server._process.kill()
        server.wait()
        assert executor.run(task, tmp_path / "log").total == 1.0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("preload", [(), WARM])
def test_a_task_whose_process_was_killed_is_tried_once_more(
    tmp_path: Path, number: signal.Signals, preload: tuple[str, ...]
) -> None:
    def asked(function: Callable[[Question], Answer]) -> Task[Question, Answer]:
        return Task(function, Question(str(tmp_path / "mark"), (number,)), Answer, preload=preload)

    with Executor(1, 60.0, tmp_path / "servers.log") as executor:
        assert executor.run(asked(jobs.killed_once), tmp_path / "log").total == number
        with pytest.raises(ProcessKilled, match=f"killed by {number.name}"):
            executor.run(asked(jobs.end_by_signal), tmp_path / "log")


def test_little_memory_lets_one_task_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "_available_bytes", lambda: 1e6)
    with Executor(3, 60.0, tmp_path / "servers.log") as executor:
        spans = Spans(executor, tmp_path)
        executor.side_by_side([spans.work] * 3)
        assert spans.most_at_once == 1


def threads_end(before: set[threading.Thread]) -> bool:
    """Waits until only the threads from before are left; whether that is within ten seconds."""
    for _ in range(200):
        if set(threading.enumerate()) <= before:
            return True
        time.sleep(0.05)
    return False
