"""Tasks on a real cluster of two workers on loopback."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edgevit.cluster.execution import Where
from edgevit.cluster.status import cluster_status
from edgevit.errors import CandidateFailed, UsageError
from edgevit.run.executor import Cancelled, Executor
from edgevit.run.task import Task
from tests.cluster import file_jobs as jobs
from tests.cluster.clusters import ROOT, WARM, LocalCluster, cluster, opened
from tests.cluster.file_jobs import Copied, Copy, Number, Span
from tests.run import child_jobs
from tests.run.child_jobs import Answer, Question


def where(local: LocalCluster, folder: Path, **changes: Any) -> Where:
    return Where(cluster=local.url, store=str(folder / "store"), **changes)


def sleeps(executor: Executor, log: Path, tasks: list[Task[Number, Span]], at_once: int = 16) -> list[Span]:
    """Carries out tasks from as many threads, without the turns by which one run keeps its own tasks apart."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda task: executor.run_now(task, log), tasks))


def number(count: int, seconds: float = 0.0, *, timing: bool = False) -> Task[Number, Span]:
    return Task(jobs.sleep, Number(count, seconds), Span, preload=() if timing else WARM, timing=timing)


def test_a_task_with_files_comes_back_as_from_this_machine(two_workers: LocalCluster, tmp_path: Path) -> None:
    made = {}
    for name, place in (("cluster", where(two_workers, tmp_path)), ("here", Where(jobs=1))):
        run = tmp_path / name
        with opened(run, place) as executor:
            source = run / "work" / "source"
            source.parent.mkdir()
            source.write_bytes(b"content")
            outside = tmp_path / "outside"
            outside.write_bytes(b"outside")
            for path in (source, outside):
                task = Task(
                    jobs.copy, Copy(path, run / "out" / path.name), Copied, lambda made: (made.target,), (path,), WARM
                )
                made[name, path.name] = executor.run_now(task, run / "logs" / "copy.log")
                assert made[name, path.name].target == run / "out" / path.name
        assert (run / "out" / "source").read_bytes() == b"content0"
        assert (run / "out" / "outside").read_bytes() == b"outside0"
        assert "copied 0" in (run / "logs" / "copy.log").read_text()
    for file in ("source", "outside"):
        assert made["cluster", file].size == made["here", file].size
        assert made["cluster", file].threads == made["here", file].threads == "1"


def test_what_only_this_machine_has_is_read_here(
    two_workers: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "this machine")
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:
        log = tmp_path / "run" / "logs" / "log"
        here = executor.run_now(Task(jobs.sleep, Number(1), Span, preload=WARM, here=True), log)
        there = executor.run_now(number(1), log)
    assert here.machine == "this machine"
    assert there.machine in {str(two_workers.folder / name) for name in ("one", "two")}


def test_progress_is_told_while_it_runs(two_workers: LocalCluster, tmp_path: Path) -> None:
    heard: list[tuple[int, int, str]] = []
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:
        task = Task(jobs.tell_progress, Number(4, 0.6), Span, preload=WARM)
        executor.run_now(task, tmp_path / "run" / "logs" / "log", lambda *told: heard.append(told))
    assert (2, 4, "step 2") in heard


def test_a_second_run_executes_nothing(two_workers: LocalCluster, tmp_path: Path) -> None:
    seconds, found = [], []
    for name in ("one", "two"):
        with opened(tmp_path / name, where(two_workers, tmp_path)) as executor:
            begin = time.monotonic()
            found.append(sleeps(executor, tmp_path / name / "logs" / "log", [number(each, 1.0) for each in range(12)]))
            seconds.append(time.monotonic() - begin)
    assert found[0] == found[1], "each tells when it ran, so none ran twice"
    print(f"12 tasks of 1 s: {seconds[0]:.1f} s, then {seconds[1]:.2f} s")


def test_candidates_that_crash_in_native_code_harm_no_worker(two_workers: LocalCluster, tmp_path: Path) -> None:
    pids = {name: process.pid for name, process in two_workers.processes.items()}
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:

        def crash(candidate: int) -> str:
            task = Task(jobs.crash_in_native_code, Number(candidate), Span, preload=WARM)
            with pytest.raises(CandidateFailed) as error:
                executor.run_now(task, tmp_path / "run" / "logs" / f"{candidate}.log")
            return f"{error.value.message} {error.value.hint}"

        with ThreadPoolExecutor(8) as pool:
            reasons = list(pool.map(crash, range(20)))
        assert executor.run_now(number(1), tmp_path / "run" / "logs" / "log").end
    for candidate, reason in enumerate(reasons):
        assert "SIGSEGV" in reason
        assert f"candidate {candidate} reads address 0" in reason
        assert str(tmp_path / "run" / "logs" / f"{candidate}.log") in reason
        log = (tmp_path / "run" / "logs" / f"{candidate}.log").read_text()
        assert log.count("reads address 0") == 1, "it is not tried again"
    assert {name: process.pid for name, process in two_workers.processes.items() if process.poll() is None} == pids


def test_what_is_killed_from_outside_is_tried_at_the_other_place_and_then_given_up(
    two_workers: LocalCluster, tmp_path: Path
) -> None:
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:
        log = tmp_path / "run" / "logs" / "log"
        with pytest.raises(CandidateFailed, match="SIGKILL"):
            executor.run_now(Task(jobs.be_killed, Number(1), Span, preload=WARM), log)
        text = log.read_text()
        assert "--- on one" in text
        assert "--- on two" in text


def test_an_error_of_the_user_stops_the_run(two_workers: LocalCluster, tmp_path: Path) -> None:
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:
        with pytest.raises(UsageError, match="bad weights") as error:
            executor.run_now(
                Task(child_jobs.misuse, Question("weights"), Answer, preload=WARM), tmp_path / "run" / "logs" / "log"
            )
        assert error.value.hint == "a hint"


def overlaps(one: Span, other: Span) -> bool:
    return one.begin < other.end and other.begin < one.end


def test_nothing_runs_beside_what_is_timed_on_its_machine(two_workers: LocalCluster, tmp_path: Path) -> None:
    """Asked for from many threads at once, so that only the cluster itself can keep them apart."""
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:
        tasks = [number(each, 0.1, timing=each % 10 == 9) for each in range(40)]
        found = sleeps(executor, tmp_path / "run" / "logs" / "log", tasks, at_once=40)
    timed = [span for task, span in zip(tasks, found, strict=True) if task.timing]
    others = [span for task, span in zip(tasks, found, strict=True) if not task.timing]
    assert len({span.machine for span in timed}) == 1, "all times are from one machine"
    assert len({span.machine for span in others}) == 2
    beside = [span for span in others if span.machine == timed[0].machine]
    assert not any(overlaps(span, other) for span in timed for other in beside)
    assert not any(itertools.starmap(overlaps, itertools.combinations(timed, 2)))


def test_several_in_turn_run_together_on_one_machine(two_workers: LocalCluster, tmp_path: Path) -> None:
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor, executor.alone():
        tasks = [Task(jobs.sleep_in_turn, Number(each, 0.1), Span, timing=True) for each in range(3)]
        found = executor.run_in_turn(tasks, tmp_path / "run" / "logs" / "log")
    spans = [each for each in found if isinstance(each, Span)]
    assert len(spans) == 3
    assert len({span.machine for span in spans}) == 1
    assert not any(itertools.starmap(overlaps, itertools.combinations(spans, 2)))


def children(process: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [process]
    for each in found:
        found += [pid for pid, parent in parents if parent == each]
    return found[1:]


def sleeping(local: LocalCluster) -> int:
    """How many tasks the workers carry out."""
    status = cluster_status(local.url, None)
    return sum(len(each.machine.holds) for each in status.machines if each.machine)


def test_cancelling_ends_the_children(two_workers: LocalCluster, tmp_path: Path) -> None:
    errors: list[BaseException] = []
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:

        def wait() -> None:
            try:
                executor.run_now(number(1, 300.0), tmp_path / "run" / "logs" / "log")
            except BaseException as error:  # noqa: BLE001
                errors.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: sleeping(two_workers) == 1)
        begin = time.monotonic()
        executor.cancel()
        thread.join(5)
        assert time.monotonic() - begin < 2
    assert [type(error) for error in errors] == [Cancelled]
    wait_until(lambda: sleeping(two_workers) == 0)


_DRIVER = """
import sys
from pathlib import Path
from edgevit.cluster.execution import Where
from edgevit.cluster.status import cluster_status
from tests.cluster.clusters import opened
from tests.cluster.test_cluster_executor import number
folder = Path(sys.argv[1])
with opened(folder / "run", Where(cluster=sys.argv[2], store=str(folder / "store"))) as executor:
    executor.run_now(number(1, 300.0), folder / "run" / "logs" / "log")
"""


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_child_on_the_workers(two_workers: LocalCluster, tmp_path: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-c", _DRIVER, str(tmp_path), two_workers.url], cwd=ROOT)
    wait_until(lambda: sleeping(two_workers) == 1)
    driver.kill()
    driver.wait()
    wait_until(lambda: sleeping(two_workers) == 0)


def wait_until(condition: Any, seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it does not happen"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_ends_the_run(tmp_path: Path) -> None:
    with cluster(tmp_path, workers={"one": 1}) as local, opened(tmp_path / "run", where(local, tmp_path)) as executor:
        threading.Timer(3.0, local.processes["scheduler"].kill).start()
        with pytest.raises(UsageError, match="gone") as error:
            executor.run_now(number(1, 300.0), tmp_path / "run" / "logs" / "log")
        assert "--resume" in str(error.value.hint)
        local.processes["one"].wait(30)


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_only_what_it_was_doing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEVIT_TEST_NOTES", str(tmp_path / "notes"))
    tasks, slots = 30, 4
    with (
        cluster(tmp_path, workers={"one": 2, "two": 2}) as local,
        opened(tmp_path / "run", where(local, tmp_path)) as executor,
    ):
        threading.Timer(3.0, local.processes["two"].kill).start()
        asked = [number(each, 0.5) for each in range(tasks)]
        found = sleeps(executor, tmp_path / "run" / "logs" / "log", asked, slots * 2)
    assert len(found) == tasks
    executions = (tmp_path / "notes").read_text().count("sleep")
    print(f"{tasks} tasks, a worker killed: {executions} executions")
    assert tasks <= executions <= tasks + slots


@pytest.mark.slow
def test_200_mixed_tasks_with_no_timing_overlapped(two_workers: LocalCluster, tmp_path: Path) -> None:
    longest, asked = 0.4, {}
    with opened(tmp_path / "run", where(two_workers, tmp_path)) as executor:

        def carry_out(place: int) -> Span:
            task = number(place, longest if place % 7 == 0 else 0.05, timing=place % 20 == 19)
            asked[place] = time.time()
            return executor.run_now(task, tmp_path / "run" / "logs" / "log")

        with ThreadPoolExecutor(executor.jobs) as pool:
            found = list(pool.map(carry_out, range(200)))
    timed = {place: span for place, span in enumerate(found) if place % 20 == 19}
    machine = next(iter(timed.values())).machine
    beside = [span for place, span in enumerate(found) if place not in timed and span.machine == machine]
    wrong = sum(overlaps(span, other) for span in timed.values() for other in beside)
    waits = sorted(span.begin - asked[place] for place, span in timed.items())
    print(
        f"{len(timed)} timings among 200 tasks: {wrong} overlaps, waited {waits[len(waits) // 2]:.2f} s, at most {waits[-1]:.2f} s"
    )
    assert wrong == 0
    assert not any(itertools.starmap(overlaps, itertools.combinations(timed.values(), 2)))


@pytest.mark.slow
def test_the_children_of_a_worker_that_is_killed_end_with_it(tmp_path: Path) -> None:
    with cluster(tmp_path, workers={"one": 1}) as local, opened(tmp_path / "run", where(local, tmp_path)) as executor:
        pool = ThreadPoolExecutor(1)
        waiting = pool.submit(executor.run_now, number(1, 300.0), tmp_path / "run" / "logs" / "log")
        worker = local.processes["one"]
        wait_until(lambda: len(children(worker.pid)) >= 2)
        started = children(worker.pid)
        worker.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(map(_runs, started)))
        executor.cancel()
        with pytest.raises(Cancelled):
            waiting.result(10)
        pool.shutdown()


def _runs(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
