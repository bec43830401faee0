"""Runs command lines of edgevit in forks of a process that has its libraries imported already.

Each is a process of its own, with its own session, standard streams, environment and current folder, and ends as the
real one does; only the seconds in which an interpreter starts and imports PyTorch are saved. Linux alone: the process
adopts what a command leaves running, so that nothing can be left unseen.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

LIMIT_SECONDS = 20.0
"""No command with bad input may take longer."""
_GRACE_SECONDS = 2.0
"""In which children of an ended command may end."""
_TICK_SECONDS = 0.01
_PR_SET_CHILD_SUBREAPER = 36
_MODULES = (
    "edgevit.cli.app",
    "edgevit.pipeline.compress",
    "edgevit.commands.explain",
    "edgevit.commands.reduce_tokens",
    "edgevit.commands.sensitivity",
    "edgevit.commands.profile",
    "edgevit.commands.eval",
    "edgevit.gate.judge",
)


@dataclass(frozen=True)
class Asked:
    """A command line to run."""

    arguments: tuple[str, ...]
    folder: str
    """The current folder."""
    stdout: str
    """File for standard output; one for standard error is named alike."""
    stderr: str
    environment: tuple[tuple[str, str], ...]
    limit_seconds: float = LIMIT_SECONDS


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    """Exit code, that of a signal negative."""
    in_time: bool
    left: tuple[str, ...]
    """Command lines of the processes that it left running."""
    out: str
    err: str


class Forks:
    """A server process; a context manager."""

    def __enter__(self) -> Forks:
        root = Path(__file__).parents[2]
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._server = subprocess.Popen(
            [sys.executable, "-c", "from tests.bad_input.forks import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads, "PYTHONPATH": os.pathsep.join(paths)},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin and self._server.stdout
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def run(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        limit_seconds: float = LIMIT_SECONDS,
    ) -> Ended:
        """Runs one command line.

        Args:
            arguments: Without the name of the program.
            folder: The current folder.
            environment: Replaces single variables.
            limit_seconds: After which it is killed.
        """
        assert self._server.stdin and self._server.stdout
        with tempfile.TemporaryDirectory() as streams:
            out, err = Path(streams, "out"), Path(streams, "err")
            asked = Asked(tuple(arguments), str(folder), str(out), str(err), tuple(environment.items()), limit_seconds)
            self._server.stdin.write(json.dumps(asdict(asked)) + "\n")
            self._server.stdin.flush()
            code, in_time, left = json.loads(self._server.stdout.readline())
            texts = [path.read_text(encoding="utf-8", errors="replace") for path in (out, err)]
        return Ended(code, in_time, tuple(left), *texts)


def serve() -> None:
    """Reads command lines as JSON from standard input, runs each, and writes how it ended to standard output."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for module in _MODULES:
        importlib.import_module(module)
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    importlib.import_module("timm")
    gc.freeze()
    for line in sys.stdin:
        asked = Asked(**json.loads(line))
        pid = os.fork()
        if pid == 0:
            os.close(answers.fileno())
            _become(asked)  # does not return
        json.dump(_wait(pid, asked.limit_seconds), answers)
        answers.write("\n")
        answers.flush()


def _become(asked: Asked) -> None:
    """Ends this process as the command line does."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    for number, file in ((1, asked.stdout), (2, asked.stderr)):
        stream = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked.folder)
    os.environ.update(dict(asked.environment))
    tempfile.tempdir = None  # the variable TMPDIR is read anew
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["edgevit", *asked.arguments]
    from edgevit.cli.app import main

    code: object = None
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001  what the interpreter would do at its end
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(
        code if isinstance(code, int) else 0 if code is None else 1
    )  # taking PyTorch down would take half a second


def _wait(pid: int, limit_seconds: float) -> tuple[int, bool, list[str]]:
    """Waits for a process; returns its exit code, whether it ended in time, and what it left running.

    Time is counted in short sleeps, so that it stands still while this process does.
    """
    left_ticks = limit_seconds / _TICK_SECONDS
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended and left_ticks > 0:
        time.sleep(_TICK_SECONDS)
        left_ticks -= 1
        ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), bool(ended), _end_orphans()


def _end_orphans() -> list[str]:
    """Gives adopted processes a moment to end; kills the others and returns their command lines."""
    ticks = _GRACE_SECONDS / _TICK_SECONDS
    while _has_children() and ticks > 0:
        time.sleep(_TICK_SECONDS)
        ticks -= 1
    names = []
    while _has_children():
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in children:
            names.append(Path("/proc", child, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            os.kill(int(child), signal.SIGKILL)
            os.waitpid(int(child), 0)
    return names


def _has_children() -> bool:
    """Whether an adopted process still runs; those that ended are collected."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
