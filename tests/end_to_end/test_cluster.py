"""``edgevit compress --cluster`` on workers of this machine: the same run as in-line, and nothing made twice."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("distributed", reason="Dask distributed is not installed")

from edgevit.cluster.status import cluster_status
from tests.cluster.clusters import LocalCluster, cluster
from tests.end_to_end.test_compress import edgevit, outcome, start, wait_for
from tests.end_to_end.test_jobs import COMMAND

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def in_line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jobs") / "run"
    done = edgevit(*COMMAND, "--jobs", "1", "--out", folder, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def on(local: LocalCluster, folder: Path) -> tuple[str, ...]:
    return ("--cluster", local.url, "--store", str(folder / "store"))


def executions(folder: Path) -> Counter[str]:
    """How often tasks were carried out for a run, by the machine."""
    logs = [path.read_text(errors="replace") for path in (folder / "logs").glob("*.log")]
    return Counter(
        line.removeprefix("--- on ") for text in logs for line in text.splitlines() if line.startswith("--- on ")
    )


def test_one_worker_and_two_workers_make_what_this_machine_makes(in_line: Path, tmp_path: Path) -> None:
    with cluster(tmp_path, workers={"one": 1}) as local:
        done = edgevit(*COMMAND, *on(local, tmp_path / "1"), "--out", tmp_path / "by-one", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        local.worker("two", "--jobs", "1")
        done = edgevit(*COMMAND, *on(local, tmp_path / "2"), "--out", tmp_path / "by-two", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert len(outcome(in_line)) == 4
    assert outcome(tmp_path / "by-one") == outcome(tmp_path / "by-two") == outcome(in_line)
    assert set(executions(tmp_path / "by-one")) == {"one"}
    assert set(executions(tmp_path / "by-two")) == {"one", "two"}


def test_a_second_run_executes_nothing(in_line: Path, tmp_path: Path) -> None:
    with cluster(tmp_path, workers={"one": 2}) as local:
        where, seconds = on(local, tmp_path), []
        for name in ("first", "second"):
            begin = time.monotonic()
            done = edgevit(*COMMAND, *where, "--reuse-measurements", "--out", tmp_path / name, cwd=tmp_path)
            seconds.append(time.monotonic() - begin)
            assert done.returncode == 0, done.stderr
    print(f"{seconds[0]:.1f} s, then {seconds[1]:.1f} s, most of it imports and the capture")
    assert executions(tmp_path / "first").total() > 10
    assert executions(tmp_path / "second").total() == 0
    assert outcome(tmp_path / "second") == outcome(tmp_path / "first") == outcome(in_line)


def test_a_driver_that_was_killed_goes_on_with_what_the_workers_have_done(in_line: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with cluster(tmp_path, workers={"one": 1, "two": 1}) as local:
        arguments = (*COMMAND, *on(local, tmp_path), "--out", folder)
        process = start(arguments, tmp_path)
        wait_for(process, lambda: len(list((tmp_path / "store" / "results").rglob("*.json"))) >= 4)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        resumed = edgevit(*arguments, "--resume", cwd=tmp_path)
        assert resumed.returncode == 0, resumed.stderr
    assert outcome(folder) == outcome(in_line)


def test_an_interrupt_ends_the_run_and_the_children_on_the_workers(tmp_path: Path) -> None:
    with cluster(tmp_path, workers={"one": 2}) as local:
        process = start((*COMMAND, *on(local, tmp_path), "--out", tmp_path / "run"), tmp_path)
        wait_for(process, lambda: bool(list((tmp_path / "store" / "results").rglob("*.json"))))
        wait_for(
            process,
            lambda: any(each.machine and each.machine.holds for each in cluster_status(local.url, None).machines),
        )
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        seconds = time.monotonic() - begin
        print(f"interrupted: ended after {seconds:.1f} s")
        assert process.returncode == 130
        assert "--resume" in said
        assert seconds < 20  # two on a quiet machine
        limit = time.monotonic() + 30
        while any(each.machine and each.machine.holds for each in cluster_status(local.url, None).machines):
            assert time.monotonic() < limit, "a child goes on"
            time.sleep(0.5)
