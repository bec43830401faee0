"""The whole path over an sshd on loopback: the same answers as here, and what goes wrong leaves a reason and a clean board."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import CandidateFailed, EdgevitError, ProcessKilled, UsageError
from edgevit.measure.bench import BenchJob, bench
from edgevit.measure.boards.board import Board
from edgevit.measure.boards.probe import BoardFacts, ProbeJob, probe_board
from edgevit.measure.burst import Burst, BurstJob, time_burst
from edgevit.measure.sustained import SustainedJob, SustainedLatency, run_sustained
from edgevit.measure.turns import Turns, TurnsJob, time_turns
from edgevit.results.measurement import Measurement
from edgevit.run.child_process import run_in_child
from edgevit.run.executor import Executor
from edgevit.run.task import Task
from tests.loopback import Loopback
from tests.measure.boards.opened import opened, wait_for

PROBES = Path(__file__).parents[3] / "edgevit" / "commands" / "probes"
ONNX = PROBES / "probe.onnx"
pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def board(loopback: Loopback) -> Iterator[Board]:
    with opened() as board:
        yield board


def ask(
    board: Board, function: Callable[[Any], Any], argument: Any, answer: type[Any], log: Path, seconds: float = 60.0
) -> Any:
    return run_in_child(Task(function, argument, answer), timeout_seconds=seconds, log=log, start=board.start)


def test_the_same_task_gives_the_same_answer_here_and_there(board: Board, tmp_path: Path) -> None:
    there, log = board.send(ONNX), tmp_path / "log"

    def both(function: Callable[[Any], Any], here_job: Any, there_job: Any, answer: type[Any]) -> tuple[Any, Any]:
        here = run_in_child(Task(function, here_job, answer), timeout_seconds=60.0, log=log)
        return here, ask(board, function, there_job, answer, log)

    facts: tuple[BoardFacts, BoardFacts] = both(probe_board, job := ProbeJob(1, (("onnxruntime",),)), job, BoardFacts)
    assert replace(facts[0], available_bytes=0) == replace(facts[1], available_bytes=0)
    assert board.host == facts[0].host

    turns_job = TurnsJob("onnxruntime", ONNX, "fastest", 1, None, 2, 5, 0.0, 7)
    turns: tuple[Turns, Turns] = both(time_turns, turns_job, replace(turns_job, artifact=there), Turns)
    for each in turns:
        assert (len(each.samples_ms), len(each.activities)) == (2, 2)
    assert replace(turns[0], samples_ms=(), activities=()) == replace(turns[1], samples_ms=(), activities=())

    bench_job = BenchJob("onnxruntime", ONNX, 1, "fastest", 50, 0.0)
    measured: tuple[Measurement, Measurement] = both(bench, bench_job, replace(bench_job, artifact=there), Measurement)
    one, other = (each.conditions for each in measured)
    assert one.machine
    assert other.machine
    assert one.machine.cpu == other.machine.cpu
    same = {"warmup_runs": 0, "load_average": 0.0, "unstable": "", "machine": None}
    assert replace(one, **same) == replace(other, **same)
    assert [len(each.samples_ms) for each in measured] == [50, 50]

    long_job = SustainedJob("onnxruntime", ONNX, "fastest", 1, 0.1)
    for found in both(run_sustained, long_job, replace(long_job, artifact=there), SustainedLatency):
        assert found.windows[0].runs > 0

    burst_job = BurstJob("onnxruntime", ONNX, "fastest", 1, 0.0, 9, 0.0)
    for burst in both(time_burst, burst_job, replace(burst_job, artifact=there), Burst):
        assert len(burst.samples_ms) == 9


def test_bursts_load_side_by_side_and_are_timed_in_turn(board: Board, tmp_path: Path) -> None:
    job = BurstJob("onnxruntime", board.send(ONNX), "fastest", 1, 0.0, 6, 0.0)
    with Executor(2, 60.0, tmp_path / "log", start=board.start) as executor:
        found = executor.run_in_turn([Task(time_burst, job, Burst, timing=True)] * 2, tmp_path / "log")
    assert all(isinstance(each, Burst) for each in found)


def test_nothing_is_sent_twice(board: Board, loopback: Loopback, tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_bytes(ONNX.read_bytes() + b"")
    sent: list[tuple[int, int]] = []
    copies = [
        board.send(each, lambda *progress: sent.append(progress))
        for each in (ONNX, tmp_path / "a.onnx", tmp_path / "b.onnx")
    ]
    assert sum(done == total for done, total in sent) <= 1, "at most once, before"
    assert [each.name for each in copies] == ["probe.onnx", "a.onnx", "b.onnx"]
    assert len({each.stat().st_ino for each in copies}) == 1


def test_files_beside_an_artifact_go_with_it(board: Board) -> None:
    pytest.importorskip("openvino")
    there = board.send(PROBES / "probe.xml")
    assert sorted(path.name for path in there.parent.iterdir()) == ["probe.bin", "probe.xml"]


def test_an_artifact_that_the_runtime_refuses_is_the_users_error(board: Board, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"nonsense")
    shutil.copy(ONNX, tmp_path / "n.onnx")
    job = BenchJob("onnxruntime", board.send(tmp_path / "n.onnx").with_name("gone.onnx"), 1, "fastest", 50, 0.0)
    with pytest.raises(UsageError, match="cannot load"):
        ask(board, bench, job, Measurement, tmp_path / "log")


LONG = 60.0


def start_long(board: Board, log: Path, seconds: float = 30.0) -> tuple[threading.Thread, list[EdgevitError]]:
    """Starts a minute of inference there; returns its thread, and what it will have raised."""
    job = SustainedJob("onnxruntime", board.send(ONNX), "fastest", 1, LONG)
    errors: list[EdgevitError] = []

    def run() -> None:
        try:
            ask(board, run_sustained, job, SustainedLatency, log, seconds)
        except EdgevitError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def test_a_process_that_is_killed_there_is_said_to_be(board: Board, loopback: Loopback, tmp_path: Path) -> None:
    thread, errors = start_long(board, tmp_path / "log")
    os.kill(wait_for(loopback.worker), signal.SIGKILL)
    thread.join()
    (error,) = errors
    assert isinstance(error, ProcessKilled)
    assert "killed by SIGKILL (out of memory?)" in error.message
    assert "GB of memory" in (error.hint or "")
    wait_for(lambda: loopback.worker() is None)


def test_a_process_that_hangs_is_ended(board: Board, loopback: Loopback, tmp_path: Path) -> None:
    thread, errors = start_long(board, tmp_path / "log", seconds=2.0)
    os.kill(wait_for(loopback.worker), signal.SIGSTOP)
    thread.join()
    (error,) = errors
    assert isinstance(error, CandidateFailed)
    assert "no result within 2 s" in error.message
    wait_for(lambda: loopback.worker() is None)


def test_a_second_bench_is_refused_or_waits(board: Board) -> None:
    with pytest.raises(UsageError, match="is in use by .* for"), opened():
        pass
    told: list[str] = []
    with pytest.raises(UsageError, match="is in use by") as error, opened(wait=0.5, tell=told.append):
        pass
    assert "--wait" in (error.value.hint or "")
    assert len(told) == 1
    assert "waiting up to" in told[0]
