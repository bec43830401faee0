"""What a worker does with a parcel."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.cluster.carry_out import Workplace
from edgevit.cluster.parcel import RUN, Parcel, digests, read_answers, write_question
from edgevit.run.task import Task
from edgevit.store.record import Blob
from edgevit.store.store import Store, open_store
from tests.cluster import file_jobs as jobs
from tests.cluster.clusters import WARM
from tests.cluster.file_jobs import Copied, Copy, Number, Span
from tests.run import child_jobs
from tests.run.child_jobs import Answer, Question


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace("desk", tmp_path / "scratch")
    yield place
    place.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def parcel(store: Store, tasks: list[Task[Any, Any]], root: Path, **changes: Any) -> Parcel:
    made = Parcel(
        key="ab" * 32,
        targets=tuple(task.target for task in tasks),
        questions=tuple(write_question(task, root) for task in tasks),
        preload=tasks[0].preload,
        inputs=digests([path for task in tasks for path in task.inputs], root, store.put),
        log="logs/task.log",
        in_turn=len(tasks) > 1,
        timeout_seconds=60.0,
        threads={},
        store=store.url,
        owner="ann@laptop: run",
        board="",
    )
    return replace(made, **changes)


def quiet(done: int, total: int, note: str) -> None:
    pass


def copy_parcel(store: Store, root: Path, **changes: Any) -> Parcel:
    root.mkdir(exist_ok=True)
    (root / "source").write_bytes(b"content")
    task = Task(jobs.copy, Copy(root / "source", root / "out" / "target"), Copied, inputs=(root / "source",), **changes)
    return parcel(store, [task], root)


def test_files_come_and_go_by_the_store_and_nothing_is_left(workplace: Workplace, store: Store, tmp_path: Path) -> None:
    asked = copy_parcel(store, tmp_path / "run", preload=WARM)
    outcome = workplace.carry_out("one", asked, quiet)
    record = outcome.record
    assert record is not None
    assert (record.key, record.machine, list(record.files)) == (asked.key, "desk", ["out/target"])
    assert store.fetch(record.files["out/target"], tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"content0"
    assert read_answers(record.answer, Path("/else"))[0]["answer"]["target"] == "/else/out/target"
    assert "copied 0" in outcome.printed
    assert str(tmp_path / "scratch") not in json.dumps([record.answer, *record.files])
    assert list((tmp_path / "scratch" / "tasks").iterdir()) == []
    assert workplace.carry_out("two", asked, quiet).record == record, "it is not done again"


@pytest.mark.parametrize(("threads", "sees"), [({}, "unset"), ({"OMP_NUM_THREADS": "3"}, "3")])
def test_a_cold_child_has_the_thread_variables_of_the_run(
    workplace: Workplace,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: dict[str, str],
    sees: str,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")  # as Dask's nanny sets it
    asked = replace(copy_parcel(store, tmp_path / "run"), threads=threads)
    record = workplace.carry_out("one", asked, quiet).record
    assert record is not None
    assert json.loads(record.answer)[0]["answer"]["threads"] == sees


def test_a_warm_child_computes_in_one_thread_as_on_the_machine_of_the_run(
    workplace: Workplace, store: Store, tmp_path: Path
) -> None:
    record = workplace.carry_out("one", copy_parcel(store, tmp_path / "run", preload=WARM), quiet).record
    assert record is not None
    assert json.loads(record.answer)[0]["answer"]["threads"] == "1"


def test_an_input_that_the_store_lost(workplace: Workplace, store: Store, tmp_path: Path) -> None:
    asked = replace(copy_parcel(store, tmp_path / "run"), inputs={"source": Blob("0" * 64, 7)})
    outcome = workplace.carry_out("one", asked, quiet)
    assert (outcome.record, outcome.failure, outcome.message) == (None, "missing inputs", "source")


@pytest.mark.parametrize(
    ("function", "kind", "says"),
    [
        (child_jobs.segfault, "failed", "killed by SIGSEGV"),
        (child_jobs.raise_error, "failed", "ZeroDivisionError"),
        (child_jobs.misuse, "usage", "bad"),
        (child_jobs.fill_disk, "disk full", "is full"),
        (child_jobs.be_killed, "killed", "SIGKILL"),
    ],
)
def test_each_failure_is_of_its_kind(
    workplace: Workplace, store: Store, tmp_path: Path, function: Any, kind: str, says: str
) -> None:
    outcome = workplace.carry_out(
        "one", parcel(store, [Task(function, Question(), Answer, preload=WARM)], tmp_path), quiet
    )
    assert outcome.failure == kind
    assert says in outcome.message
    assert str(tmp_path / "scratch") not in f"{outcome.message} {outcome.hint}"
    if "see" in outcome.message:
        assert f"{RUN}/logs/task.log" in outcome.message
    assert store.record("ab" * 32) is None


def test_a_child_that_says_nothing_runs_out_of_time(workplace: Workplace, store: Store, tmp_path: Path) -> None:
    task = Task(jobs.sleep, Number(1, 60.0), Span, preload=WARM)
    outcome = workplace.carry_out("one", parcel(store, [task], tmp_path, timeout_seconds=0.5), quiet)
    assert outcome.failure == "failed"
    assert "no result within 0.5 s" in outcome.message


def test_what_nobody_waits_for_is_killed(workplace: Workplace, store: Store, tmp_path: Path) -> None:
    task, outcomes = Task(jobs.sleep, Number(1, 60.0), Span, preload=WARM), []
    thread = threading.Thread(
        target=lambda: outcomes.append(workplace.carry_out("one", parcel(store, [task], tmp_path), quiet))
    )
    thread.start()
    limit = time.monotonic() + 30
    while not workplace.holds and time.monotonic() < limit:
        time.sleep(0.02)
    assert (workplace.holds[0].target, workplace.holds[0].owner) == (task.target, "ann@laptop: run")
    time.sleep(0.3)
    workplace.kill("other")
    assert thread.is_alive()
    workplace.kill("one")
    thread.join(10)
    assert [outcome.failure for outcome in outcomes] == ["cancelled"]
    assert workplace.holds == ()


def test_several_in_turn_and_one_of_them_crashes(workplace: Workplace, store: Store, tmp_path: Path) -> None:
    tasks = [Task(each, Number(1, 0.1), Span, timing=True) for each in (jobs.sleep_in_turn, jobs.crash_in_native_code)]
    record = workplace.carry_out("one", parcel(store, tasks, tmp_path), quiet).record
    assert record is not None
    slept, crashed = json.loads(record.answer)
    assert slept["answer"]["end"] > slept["answer"]["begin"]
    assert "SIGSEGV" in crashed["failed"]
