"""What goes wrong before a board measures, each with its reason and what to do, and nothing left on the board."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from edgevit.errors import EdgevitError, UsageError
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.connection import BoardSpec, clean_board
from edgevit.measure.boards.lock import LEASE_SECONDS
from edgevit.measure.sustained import SustainedJob, SustainedLatency, run_sustained
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task
from tests.loopback import PYTHON, Loopback
from tests.measure.boards.opened import opened, wait_for

PROBES = Path(__file__).parents[3] / "edgevit" / "commands" / "probes"
CHECKOUT = Path(__file__).parents[3]
OLD_PYTHONS = sorted(Path.home().glob(".pyenv/versions/[23].[0-9].*/bin/python"))
"""Those older than 3.10."""
pytest.importorskip("onnxruntime")


@pytest.fixture(autouse=True)
def nothing_is_left(loopback: Loopback) -> Iterator[None]:
    """Every test ends with a board on which nothing runs, nothing is locked, and nothing is half-written."""
    yield
    assert loopback.is_quiet()
    assert not list(loopback.home.rglob("*.part"))


def refused(
    *, python: str = PYTHON, backend: str = "onnxruntime", address: str = "board", threads: int = 1
) -> UsageError:
    """Returns why the board cannot be opened."""
    with pytest.raises(UsageError) as error, opened(python, backend=backend, address=address, threads=threads):
        pass
    assert error.value.hint
    return error.value


def test_an_unknown_host_key_is_refused_and_how_to_add_it_is_said(loopback: Loopback) -> None:
    known = loopback.folder / "known_hosts"
    before = known.read_text()
    known.write_text("")
    try:
        error = refused()
    finally:
        assert known.read_text() == "", "nothing was accepted"
        known.write_text(before)
    assert "not in known_hosts" in error.message
    assert f"ssh-keyscan -p {loopback.port} 127.0.0.1 >> ~/.ssh/known_hosts" in (error.hint or "")


def test_a_changed_host_key_is_refused(loopback: Loopback) -> None:
    known = loopback.folder / "known_hosts"
    before = known.read_text()
    known.write_text(f"[127.0.0.1]:{loopback.port} {(loopback.folder / 'user_key.pub').read_text()}")
    try:
        error = refused()
    finally:
        known.write_text(before)
    assert "another one than in known_hosts" in error.message
    assert f"ssh-keygen -R '[127.0.0.1]:{loopback.port}'" in (error.hint or "")


def test_a_key_that_the_board_does_not_know_is_refused(loopback: Loopback) -> None:
    authorized = loopback.folder / "user_key.pub"
    before = authorized.read_text()
    authorized.write_text((loopback.folder / "host_key.pub").read_text())
    try:
        error = refused()
    finally:
        authorized.write_text(before)
    assert "refuses the keys" in error.message
    assert "ssh-copy-id" in (error.hint or "")


def test_a_host_that_is_not_there() -> None:
    assert "no such host" in refused(address="nowhere.invalid").message


def test_a_port_that_nothing_listens_on() -> None:
    assert "Connection refused" in refused(address="board:1").message


def test_no_python() -> None:
    error = refused(python="python9")
    assert "board has no python9" in error.message
    assert "--python" in (error.hint or "")
    assert "has no ~/nowhere/python" in refused(python="~/nowhere/python").message


@pytest.mark.parametrize("old", [*map(str, OLD_PYTHONS), "pretended"])
def test_a_python_that_is_too_old(old: str, loopback: Loopback) -> None:
    if old == "pretended":
        (loopback.home / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 9, 2)\n", encoding="ascii")
        old = loopback.python(f"PYTHONPATH={loopback.home}; export PYTHONPATH")
    error = refused(python=old)
    assert " there is Python " in error.message
    assert "needs 3.10" in error.message


def packages(loopback: Loopback, *names: str) -> Path:
    """A folder with some of the packages of this Python."""
    folder = loopback.home / f"with-{'-'.join(names) or 'nothing'}"
    folder.mkdir(exist_ok=True)
    site = Path(pytest.__file__).parents[1]
    for name in names:
        for path in site.glob(f"{name}*"):
            with_name = folder / path.name
            if not with_name.exists():
                with_name.symlink_to(path)
    return folder


def only(loopback: Loopback, folder: Path) -> str:
    """A Python that sees no packages but those of a folder."""
    program = loopback.python(f"PYTHONPATH={folder}; export PYTHONPATH")
    Path(program).write_text(Path(program).read_text().replace(f"exec {PYTHON}", f"exec {PYTHON} -S"), encoding="utf-8")
    return program


def test_no_numpy(loopback: Loopback) -> None:
    error = refused(python=only(loopback, packages(loopback)))
    assert "numpy is not installed" in error.message
    assert "-m pip install numpy" in (error.hint or "")


def test_no_runtime(loopback: Loopback) -> None:
    error = refused(python=only(loopback, packages(loopback, "numpy")), backend="litert")
    assert "ai-edge-litert is not installed" in error.message
    assert "-m pip install ai-edge-litert" in (error.hint or "")


def test_a_wheel_for_another_processor(loopback: Loopback) -> None:
    folder = packages(loopback, "numpy")
    package, info = folder / "ai_edge_litert", folder / "ai_edge_litert-2.3.0.dist-info"
    package.mkdir()
    info.mkdir()
    suffix = subprocess.run(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'))"], capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip
    (package / "__init__.py").write_text("")
    (package / "interpreter.py").write_text("from ai_edge_litert import _native\n")
    (package / f"_native{suffix}").write_bytes(b"\x7fELF\x01\x01\x01" + b"\0" * 200)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 2.3.0\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_27_s390x\n")
    error = refused(python=only(loopback, folder), backend="litert")
    assert "ai-edge-litert 2.3.0 there is a wheel for s390x" in error.message
    assert "--force-reinstall ai-edge-litert" in (error.hint or "")


def test_more_threads_than_the_board_has_processors_for() -> None:
    assert "9999 threads are more" in refused(threads=9999).message


def test_a_banner_and_a_shell_that_prints_spoil_nothing(loopback: Loopback) -> None:
    rc = loopback.home / ".bashrc"
    rc.write_text('echo "Welcome to \\x1eedgevit"; printf "no end of line"; echo oops >&2\n', encoding="ascii")
    try:
        with opened() as board:
            assert board.send(PROBES / "probe.onnx").is_file()
    finally:
        rc.unlink()


def test_a_shell_that_ends_by_itself(loopback: Loopback) -> None:
    rc = loopback.home / ".bashrc"
    rc.write_text("echo this account is closed >&2; exit 3\n", encoding="ascii")
    try:
        error = refused()
    finally:
        rc.unlink()
    assert "exit code 3" in error.message
    assert "this account is closed" in error.message


def big(folder: Path) -> Path:
    """An artifact of 30 MB: numbers beside a small file."""
    path = folder / "big.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + os.urandom(30_000_000))
    return path


def test_a_full_disk(loopback: Loopback, tmp_path: Path) -> None:
    with opened(loopback.python("ulimit -f 2000")) as board:
        with pytest.raises(UsageError, match="disk is full") as error:
            board.send(big(tmp_path))
        assert "--clean" in (error.value.hint or "")
        with pytest.raises(UsageError, match=r"disk is full.* \(while sending images\)"):
            board.send_files([big(tmp_path)], "images")
        assert board.send(PROBES / "probe.onnx").is_file(), "the connection is still there"
    assert all(path.stat().st_size < 1_000_000 for path in loopback.cache.rglob("*") if path.is_file())


def test_a_disk_that_is_too_full_for_the_runner(loopback: Loopback) -> None:
    shutil.rmtree(loopback.cache, ignore_errors=True)
    assert "disk is full" in refused(python=loopback.python("ulimit -f 10")).message
    assert loopback.files() == set()


def children(parent: int) -> dict[int, str]:
    """Processes that one has started, by their process ids, with the names of their programs."""
    found = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = each.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == parent:
            found[int(each.parent.name)] = name
    return found


def clients() -> list[int]:
    """Process ids of the ssh that this process has started."""
    return sorted(pid for pid, name in children(os.getpid()).items() if name == "ssh")


def test_a_connection_that_is_cut_during_the_upload(loopback: Loopback, tmp_path: Path) -> None:
    def cut(done: int, total: int) -> None:
        if done > total / 3:
            for pid in clients():
                os.kill(pid, signal.SIGKILL)

    with opened() as board:
        with pytest.raises(UsageError, match=r"connection was lost while sending big\.tflite"):
            board.send(big(tmp_path), cut)
        with pytest.raises(UsageError, match="connection was lost"):
            board.send(PROBES / "probe.onnx")
    assert not any("big" in name for name in loopback.files())


def test_a_bench_that_is_killed_leaves_nothing_running(loopback: Loopback) -> None:
    command = ["bench", str(PROBES / "probe.onnx"), "--on", "board", "--python", PYTHON, "--sustained", "60s"]
    bench = subprocess.Popen([sys.executable, "-m", "edgevit", *command], cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    wait_for(loopback.worker)
    bench.kill()
    bench.wait()
    assert loopback.is_quiet()


def test_a_connection_that_is_cut_during_the_run(loopback: Loopback, tmp_path: Path) -> None:
    failed: list[Exception] = []
    with opened() as board:
        job = SustainedJob("onnxruntime", board.send(PROBES / "probe.onnx"), "fastest", 1, 60.0)
        task = Task(run_sustained, job, SustainedLatency, timing=True)

        def measure() -> None:
            try:
                run_in_child(task, timeout_seconds=60.0, log=tmp_path / "log", start=board.start)
            except Exception as error:  # noqa: BLE001  looked at below
                failed.append(error)

        thread = threading.Thread(target=measure)
        thread.start()
        wait_for(loopback.worker)
        sessions = children(loopback.server.pid)
        of_users = {pid: name for each in sessions for pid, name in children(each).items() if name.startswith("sshd")}
        for pid in (*of_users, *sessions):
            with suppress(ProcessLookupError):  # it ended with another one
                os.kill(pid, signal.SIGKILL)
        thread.join(30.0)
        assert not thread.is_alive()
        assert loopback.is_quiet(), "nothing runs on, and the lock is free"
    (error,) = failed
    assert isinstance(error, EdgevitError)
    assert "board" in error.message and ("connection" in error.message or "lost" in error.message), error.message


@pytest.mark.slow
def test_a_host_that_falls_silent_loses_the_board_after_the_lease(loopback: Loopback, tmp_path: Path) -> None:
    with opened() as board:
        job = SustainedJob("onnxruntime", board.send(PROBES / "probe.onnx"), "fastest", 1, 120.0)
        (tmp_path / "log").touch()
        with (tmp_path / "log").open("ab") as log:
            child = board.start(log)
        assert child.stdin
        child.stdin.write(Task(run_sustained, job, SustainedLatency).question + "\n")
        child.stdin.flush()
        wait_for(loopback.worker)
        stopped = clients()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: not (loopback.cache / "lock").exists(), 2 * LEASE_SECONDS)
        assert loopback.is_quiet(20.0), "the task is ended too"
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        child.kill()
        child.wait()


def test_a_bench_that_waits_gets_the_board() -> None:
    told: list[str] = []

    def wait() -> None:
        with opened(wait=60.0, tell=told.append):
            told.append("opened")

    with opened():
        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_for(lambda: told)
    waiting.join()
    assert "is in use by" in told[0]
    assert told[-1] == "opened"


def test_the_folder_is_removed_and_its_size_said(loopback: Loopback) -> None:
    with opened() as board:
        board.send(PROBES / "probe.onnx")
        size = (PROBES / "probe.onnx").stat().st_size
    folder, removed = clean_board(BoardSpec(parse_address("board"), PYTHON, 0.0), print)
    assert folder == str(loopback.cache)
    assert removed > size
    assert not loopback.cache.exists()
    assert clean_board(BoardSpec(parse_address("board"), PYTHON, 0.0), print) == (folder, 0)
    assert not loopback.cache.exists()


_DRIVER = """
import sys, time
from tests.measure.boards.opened import opened
for _ in range(25):
    with opened(wait=600.0, tell=lambda line: None):
        begin = time.time()
        time.sleep(0.05)
        print(begin, time.time(), flush=True)
"""


@pytest.mark.slow
def test_two_drivers_never_use_a_board_at_the_same_time(loopback: Loopback) -> None:
    command = [sys.executable, "-c", _DRIVER]
    drivers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) for _ in range(2)
    ]
    spans = []
    for driver in drivers:
        out, _ = driver.communicate(timeout=500)
        spans.append([tuple(map(float, line.split())) for line in out.splitlines()])
    assert [len(each) for each in spans] == [25, 25]
    wrong = sum(a < d and c < b for a, b in spans[0] for c, d in spans[1])
    switches = sum(
        one[2] != other[2] for one, other in pairwise(sorted((a, b, n) for n in (0, 1) for a, b in spans[n]))
    )
    print(f"50 uses by two drivers: {wrong} overlaps, the board changed hands {switches} times")
    assert wrong == 0
    assert loopback.is_quiet()
