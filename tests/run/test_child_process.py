"""Functions in child processes: what goes in comes out, and whatever happens is an answer or an error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import CandidateFailed, DiskFull, ProcessKilled, UsageError
from edgevit.run import child_process
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task
from tests.run import child_jobs as jobs
from tests.run.child_jobs import Answer, Question

Ask = Callable[..., Answer]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "child.log"


@pytest.fixture
def ask(log: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Calls a function of child_jobs in a child."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # with it, nothing that is printed could be lost
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))

    def call(function: Callable[[Question], Answer], *, seconds: float = 60.0, **question: Any) -> Answer:
        on_progress = question.pop("on_progress", None)
        task = Task(function, Question(**question), Answer)
        return run_in_child(task, timeout_seconds=seconds, log=log, on_progress=on_progress)

    return call


def test_an_answer_comes_from_another_process(ask: Ask) -> None:
    answer = ask(jobs.add, text="line\nbreak \x1e ünï \U0001f600", numbers=(1.5, 2.0))
    assert (answer.text, answer.total) == ("line\nbreak \x1e ünï \U0001f600", 3.5)
    assert answer.pid != os.getpid()


def test_what_is_printed_goes_to_the_log_and_spoils_nothing(ask: Ask, log: Path) -> None:
    assert ask(jobs.chatter, text="true").text == "true"
    text = log.read_text(encoding="utf-8", errors="replace")
    assert text.startswith("--- tests.run.child_jobs:chatter\n")
    for said in ("forged", "no end of line", "native code", "a grandchild"):
        assert said in text


def test_progress_can_go_another_way_also_where_only_the_note_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int, str]] = []
    monkeypatch.setattr(child_process, "_RELAY", None)
    monkeypatch.setattr(child_process, "_LAST", (0, 1))
    child_process.relay_progress(lambda *told: seen.append(told))
    child_process.report_alive("begins")
    child_process.report_progress(2, 5, "a step")
    child_process.report_alive("looks")
    assert seen == [(0, 1, "begins"), (2, 5, "a step"), (2, 5, "looks")]


def test_progress_arrives_in_order(ask: Ask) -> None:
    seen: list[tuple[int, int]] = []
    ask(jobs.count, on_progress=lambda done, total, note: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert ask(jobs.count).total == 0


def test_a_usage_error_crosses_over_whole(ask: Ask) -> None:
    with pytest.raises(UsageError) as caught:
        ask(jobs.misuse, text="word")
    assert (caught.value.message, caught.value.hint) == ("bad word — ünï", "a hint")
    with pytest.raises(UsageError) as caught:
        ask(jobs.misuse_without_hint)
    assert caught.value.hint is None


@pytest.mark.parametrize("function", [jobs.fill_disk, jobs.fill_disk_knowingly])
def test_a_full_disk_crosses_over(ask: Ask, function: Callable[[Question], Answer]) -> None:
    with pytest.raises(DiskFull) as caught:
        ask(function)
    assert caught.value.hint and "--resume" in caught.value.hint


@pytest.mark.parametrize("function", [jobs.raise_error, jobs.abort])
def test_a_failure_on_a_full_disk_is_a_full_disk(
    ask: Ask, function: Callable[[Question], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Native code has its own words for it, or crashes."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))  # type: ignore[attr-defined]
    with pytest.raises(DiskFull):
        ask(function)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (jobs.abort, "abort: the process was killed by SIGABRT; see "),
        (jobs.segfault, "segfault: the process was killed by SIGSEGV; see "),
        (jobs.be_killed, r"be killed: the process was killed by SIGKILL \(out of memory\?\); see "),
        (jobs.leave, "leave: the process ended with exit code 7; see "),
        (jobs.exit_politely, "exit politely: the process ended with exit code"),
        (jobs.die_in_the_middle_of_an_answer, "the process was killed by SIGABRT"),
        (jobs.raise_error, "raise error: ZeroDivisionError: first line of many$"),
        (jobs.raise_nothing_said, "raise nothing said: ValueError: no message$"),
        (jobs.fail_candidate, "fail candidate: did not work$"),
        (jobs.fail_check, "fail check: not the same$"),
    ],
)
def test_a_crash_is_a_failed_candidate(ask: Ask, function: Callable[[Question], Answer], message: str) -> None:
    with pytest.raises(CandidateFailed, match=message):
        ask(function)


def test_a_traceback_is_in_the_log(ask: Ask, log: Path) -> None:
    with pytest.raises(CandidateFailed) as caught:
        ask(jobs.raise_error)
    assert caught.value.hint and str(log) in caught.value.hint
    assert "Traceback" in log.read_text()
    assert "second line" in log.read_text()


def test_a_crash_after_the_answer_does_not_matter(ask: Ask) -> None:
    assert ask(jobs.crash_after_answering, text="done").text == "done"


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_time_runs_out(ask: Ask) -> None:
    pids: list[int] = []
    begin = time.monotonic()
    with pytest.raises(CandidateFailed, match=r"sleep: no result within 1.5 s"):
        ask(jobs.sleep, seconds=1.5, on_progress=lambda pid, *_: pids.append(pid))
    assert time.monotonic() - begin < 20
    assert not any(map(alive, pids))


def test_a_long_answer_and_a_long_question(ask: Ask) -> None:
    assert len(ask(jobs.big).text) == 3_000_000
    assert ask(jobs.add, numbers=tuple([1.0] * 200_000)).total == 200_000


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_child_ends_with_its_parent(tmp_path: Path, stop: signal.Signals) -> None:
    """Else it would go on writing into a run that is resumed."""
    program = (
        "from tests.run import child_jobs as jobs; from pathlib import Path; from edgevit.run.child_process import run_in_child; from edgevit.run.task import Task\n"
        "run_in_child(Task(jobs.sleep, jobs.Question(), jobs.Answer), timeout_seconds=60, log=Path('log'),"
        " on_progress=lambda pid, *_: print(pid, flush=True))"
    )
    found = str(Path(__file__).parents[2])
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": found},
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.send_signal(stop)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)


def test_nothing_is_imported_from_the_current_folder(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "ctypes", "pydantic", "this", "shutil"):
        (tmp_path / f"{name}.py").write_text("import os; open('mark', 'w'); os._exit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"] + os.pathsep)  # with an empty entry
    assert ask(jobs.add, text="safe").text == "safe"
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_child_that_somebody_else_ended_is_told_from_one_that_crashed(ask: Ask, number: signal.Signals) -> None:
    with pytest.raises(ProcessKilled):
        ask(jobs.end_by_signal, numbers=(number,))


def test_a_crash_shows_what_was_printed_last(ask: Ask, log: Path) -> None:
    with pytest.raises(CandidateFailed, match="killed by SIGSEGV") as caught:
        ask(jobs.last_words, text="out of buffers")
    assert caught.value.message.endswith(f"; see {log}")
    assert log.is_file()
    assert caught.value.hint == "it printed at last:\n  out of buffers"
