"""Warm children: forked with their libraries, each a process of its own that ends as a cold one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgevit.backends import all_backends
from edgevit.errors import CandidateFailed, UsageError
from edgevit.pipeline.tasks import PYTORCH
from edgevit.run.child_process import run_in_child
from edgevit.run.fork_server import ForkServer
from edgevit.run.task import Task
from tests.run import child_jobs as jobs
from tests.run.child_jobs import Answer, Question

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm children are for Linux")
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a child import the functions of ``child_jobs``."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForkServer]:
    server = ForkServer(("tests.run.child_jobs", "decimal"), tmp_path / "server.log")
    yield server
    server.close()


def ask(server: ForkServer, folder: Path, function: Any, *, seconds: float = 60.0, **question: Any) -> Answer:
    task = Task(function, Question(**question), Answer)
    return run_in_child(task, timeout_seconds=seconds, log=folder / "child.log", start=server.fork)


def test_each_child_is_a_process_of_its_own_with_what_was_imported(server: ForkServer, tmp_path: Path) -> None:
    one, other = (ask(server, tmp_path, jobs.fork_facts, text="decimal,timm") for _ in range(2))
    assert one.text == other.text == "decimal"
    assert one.pid != other.pid


def test_what_is_missing_is_left_for_the_child_that_needs_it(tmp_path: Path) -> None:
    server = ForkServer(("no_such_module", "tests.run.child_jobs"), tmp_path / "server.log")
    assert ask(server, tmp_path, jobs.add, numbers=(2.0,)).total == 2.0
    server.close()


def test_what_is_printed_goes_to_the_log_of_the_child(server: ForkServer, tmp_path: Path) -> None:
    assert ask(server, tmp_path, jobs.chatter, text="true").text == "true"
    text = (tmp_path / "child.log").read_text(encoding="utf-8", errors="replace")
    for said in ("forged", "no end of line", "native code", "a grandchild"):
        assert said in text


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (jobs.segfault, "SIGSEGV"),
        (jobs.abort, "SIGABRT"),
        (jobs.leave, "exit code 7"),
        (jobs.raise_error, "first line"),
    ],
)
def test_the_end_of_a_child_is_its_own(server: ForkServer, tmp_path: Path, function: Any, words: str) -> None:
    with pytest.raises(CandidateFailed, match=words):
        ask(server, tmp_path, function)
    assert ask(server, tmp_path, jobs.add, numbers=(1.0,)).total == 1.0


def test_a_usage_error_crosses_over(server: ForkServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bad word"):
        ask(server, tmp_path, jobs.misuse, text="word")


def test_a_child_has_a_time_limit(server: ForkServer, tmp_path: Path) -> None:
    ask(server, tmp_path, jobs.add)
    with pytest.raises(CandidateFailed, match="no result within 0.3 s"):
        ask(server, tmp_path, jobs.sleep, seconds=0.3)
    assert ask(server, tmp_path, jobs.add, numbers=(1.0,)).total == 1.0


def test_a_server_that_is_killed_takes_its_children_along(server: ForkServer, tmp_path: Path) -> None:
    task = Task(jobs.sleep, Question(), Answer)
    pids: list[int] = []

    def kill_server(pid: int, total: int, note: str) -> None:
        pids.append(pid)
        server._process.kill()

    with pytest.raises(CandidateFailed, match="SIGKILL"):
        run_in_child(task, timeout_seconds=60, log=tmp_path / "log", on_progress=kill_server, start=server.fork)
    assert server.has_ended
    assert ends(pids[0])


def test_a_library_that_starts_a_thread_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "threading_library.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    server = ForkServer(("threading_library",), tmp_path / "server.log")
    with pytest.raises(CandidateFailed, match="exit code 1"):
        ask(server, tmp_path, jobs.add)
    server.close()
    assert "2 threads after importing threading_library" in (tmp_path / "server.log").read_text()


def test_a_dead_parent_leaves_no_process(tmp_path: Path) -> None:
    """Killed with its child at work, so that neither can tell the other."""
    script = (
        "from pathlib import Path\n"
        "from edgevit.run.child_process import run_in_child\n"
        "from edgevit.run.fork_server import ForkServer\n"
        "from edgevit.run.task import Task\n"
        "from tests.run import child_jobs as jobs\n"
        "server = ForkServer(('tests.run.child_jobs',), Path('server.log'))\n"
        "run_in_child(Task(jobs.sleep, jobs.Question(), jobs.Answer), timeout_seconds=60, log=Path('log'),\n"
        "    on_progress=lambda pid, *_: print(server._process.pid, pid, flush=True), start=server.fork)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert len(pids) == 2
    assert all(map(ends, pids))


def test_a_server_that_imports_ends_with_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads no socket meanwhile, and would go on for as long as the libraries take."""
    (tmp_path / "slow_library.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    script = (
        "import time\nfrom pathlib import Path\nfrom edgevit.run.fork_server import ForkServer\n"
        "print(ForkServer(('slow_library',), Path('server.log'))._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    while "importing" not in (tmp_path / "server.log").read_text():
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert ends(server)


@pytest.mark.parametrize("preload", [PYTORCH, *(backend.preload for backend in all_backends())], ids=lambda p: p[0])
def test_the_libraries_start_no_threads(tmp_path: Path, preload: tuple[str, ...]) -> None:
    pytest.importorskip("torch")
    server = ForkServer((*preload, "tests.run.child_jobs"), tmp_path / "server.log")
    answer = ask(server, tmp_path, jobs.fork_facts, text=",".join(preload))
    server.close()
    assert answer.text == ",".join(sorted(preload))
    assert answer.total == 1


def ends(pid: int) -> bool:
    """Waits until a process has ended; whether it has within ten seconds."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
