"""A task with a record is not carried out again, in any run that may use the record."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from edgevit.cluster.execution import Where
from edgevit.errors import CandidateFailed, ProcessKilled
from edgevit.run.task import Task
from tests.cluster import file_jobs as jobs
from tests.cluster.clusters import WARM, opened
from tests.cluster.file_jobs import Copied, Copy, Number, Span


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGEVIT_TEST_NOTES", str(tmp_path / "notes"))
    (tmp_path / "notes").touch()
    return tmp_path / "notes"


@pytest.fixture
def where(tmp_path: Path) -> Where:
    return Where(jobs=2, store=str(tmp_path / "store"))


def copy_task(run: Path, content: bytes = b"content") -> Task[Copy, Copied]:
    source = run / "work" / "source"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(content)
    job = Copy(source, run / "work" / "out" / "target")
    return Task(jobs.copy, job, Copied, lambda made: (made.target,), (source,), WARM)


def copied(run: Path, where: Where, content: bytes = b"content") -> Copied:
    with opened(run, where, resume=True) as executor:
        return executor.run_now(copy_task(run, content), run / "logs" / "copy.log")


def test_another_run_gets_the_answer_and_the_file_in_its_own_folder(tmp_path: Path, where: Where, notes: Path) -> None:
    one, two = (copied(tmp_path / name, where) for name in ("one", "two"))
    assert notes.read_text() == "copy\n"
    assert one.target == tmp_path / "one" / "work" / "out" / "target"
    assert two.target == tmp_path / "two" / "work" / "out" / "target"
    assert two.target.read_bytes() == one.target.read_bytes() == b"content0"
    assert "copied 0" in (tmp_path / "one" / "logs" / "copy.log").read_text()
    assert "stored by" in (tmp_path / "two" / "logs" / "copy.log").read_text()


def test_another_input_is_another_task(tmp_path: Path, where: Where, notes: Path) -> None:
    copied(tmp_path / "one", where)
    assert copied(tmp_path / "two", where, b"other").size == 6
    assert notes.read_text() == "copy\n" * 2


def test_other_thread_variables_are_another_task(
    tmp_path: Path, where: Where, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, threads in (("one", "2"), ("two", "3")):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        copied(tmp_path / name, where)
    assert notes.read_text() == "copy\n" * 2


def test_a_damaged_file_is_made_again(tmp_path: Path, where: Where, notes: Path) -> None:
    made = copied(tmp_path / "one", where)
    for blob in (tmp_path / "store" / "blobs").rglob("*"):
        if blob.is_file() and blob.read_bytes() == made.target.read_bytes():
            blob.write_bytes(b"contenT0")
    assert copied(tmp_path / "two", where).target.read_bytes() == b"content0"
    assert notes.read_text() == "copy\n" * 2
    assert copied(tmp_path / "three", where).size == 8
    assert notes.read_text() == "copy\n" * 2


def test_what_reads_files_of_this_machine_is_not_stored(tmp_path: Path, where: Where, notes: Path) -> None:
    for name in ("one", "two"):
        with opened(tmp_path / name, where) as executor:
            task = Task(jobs.sleep, Number(1), Span, preload=WARM, here=True)
            executor.run_now(task, tmp_path / name / "logs" / "log")
    assert notes.read_text() == "sleep\n" * 2


def measured(run: Path, where: Where) -> list[Span | CandidateFailed]:
    with opened(run, where, resume=True) as executor, executor.alone():
        alone = executor.run_now(Task(jobs.sleep, Number(1), Span, timing=True), run / "logs" / "log")
        tasks = [Task(jobs.sleep_in_turn, Number(number), Span, timing=True) for number in range(2)]
        return [alone, *executor.run_in_turn(tasks, run / "logs" / "log")]


def test_times_count_for_their_own_run_alone_unless_they_are_asked_for(
    tmp_path: Path, where: Where, notes: Path
) -> None:
    one = measured(tmp_path / "one", where)
    assert measured(tmp_path / "one", where) == one
    assert notes.read_text().count("\n") == 3
    two = measured(tmp_path / "two", where)
    assert two != one
    assert notes.read_text().count("\n") == 6
    reused = measured(tmp_path / "three", Where(jobs=2, store=where.store, reuse_measurements=True))
    assert reused == one
    assert notes.read_text().count("\n") == 6


def test_what_is_timed_again_in_a_run_is_measured_again(tmp_path: Path, where: Where, notes: Path) -> None:
    def rounds(run: Path, place: Where) -> list[Span | CandidateFailed]:
        tasks = [Task(jobs.sleep_in_turn, Number(number), Span, timing=True) for number in range(2)]
        with opened(run, place, resume=True) as executor, executor.alone():
            return [each for _ in range(3) for each in executor.run_in_turn(tasks, run / "logs" / "log")]

    one = rounds(tmp_path / "one", where)
    assert len({each.begin for each in one if isinstance(each, Span)}) == 6
    assert notes.read_text().count("\n") == 6
    assert rounds(tmp_path / "one", where) == one, "a resumed run has what it had measured, each in its place"
    assert rounds(tmp_path / "two", Where(jobs=2, store=where.store, reuse_measurements=True)) == one
    assert notes.read_text().count("\n") == 6


def test_a_failure_is_told_again_in_its_run_and_tried_again_in_another(
    tmp_path: Path, where: Where, notes: Path
) -> None:
    def crash(run: Path) -> str:
        with opened(run, where, resume=True) as executor, pytest.raises(CandidateFailed, match="SIGSEGV") as error:
            executor.run_now(Task(jobs.crash_in_native_code, Number(7), Span, preload=WARM), run / "logs" / "log")
        return f"{error.value.message} {error.value.hint}"

    first = crash(tmp_path / "one")
    assert "candidate 7 reads address 0" in first
    assert crash(tmp_path / "one") == first
    assert notes.read_text() == "crash\n"
    crash(tmp_path / "two")
    assert notes.read_text() == "crash\n" * 2


def test_one_of_several_that_failed_keeps_its_place(tmp_path: Path, where: Where, notes: Path) -> None:
    for name in ("one", "one"):
        with opened(tmp_path / name, where, resume=True) as executor, executor.alone():
            tasks = [
                Task(each, Number(1), Span, timing=True) for each in (jobs.crash_in_native_code, jobs.sleep_in_turn)
            ]
            crashed, slept = executor.run_in_turn(tasks, tmp_path / name / "logs" / "log")
        assert isinstance(crashed, CandidateFailed)
        assert "SIGSEGV" in crashed.message
        assert isinstance(slept, Span)
    assert notes.read_text().count("\n") == 2


def test_a_process_that_was_killed_leaves_no_record(tmp_path: Path, where: Where, notes: Path) -> None:
    for _ in range(2):
        with opened(tmp_path / "one", where, resume=True) as executor, pytest.raises(ProcessKilled):
            executor.run_now(Task(jobs.be_killed, Number(1), Span, preload=WARM), tmp_path / "one" / "logs" / "log")
    assert notes.read_text() == "killed\n" * 4, "each time it is tried twice"


def test_not_a_number_stays_one(tmp_path: Path, where: Where, notes: Path) -> None:
    for name in ("one", "two"):
        with opened(tmp_path / name, where) as executor:
            answer = executor.run_now(
                Task(jobs.not_a_number, Number(1), Span, preload=WARM), tmp_path / name / "logs" / "log"
            )
        assert math.isnan(answer.value)
