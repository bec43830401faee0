"""Runs a function in a child process, with a time limit: a crash in native code is an error, not a dead tool.

The argument goes in on stdin as a line of JSON; the answer and progress come back on stdout as lines that begin with a
mark; everything else the child prints goes to a log file. A child that is ready to time something says so, and goes on
when it gets an empty line.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from edgevit.errors import CandidateFailed, DiskFull, EdgevitError, ExitCode, ProcessKilled, UsageError
from edgevit.results.document import from_document, to_document
from edgevit.run.files import disk_full, is_full_disk, open_to_append
from edgevit.run.packages import import_failure
from edgevit.run.task import AnyTask
from edgevit.run.time_limit import TimeLimit

Answer = TypeVar("Answer")
OnProgress = Callable[[int, int, str], None]
"""Gets steps done, steps in all, and a note for people."""

MARK = "\x1eedgevit "
"""Begins what a child says to its parent, anywhere in a line."""
SAFE_PATH = "import sys; sys.path[:] = [place for place in sys.path if place]; "
"""Begins the program of a child: without it a ``json.py`` in the current folder would be run in place of Python's own."""
_SERVE = SAFE_PATH + "from edgevit.run.child_process import serve; serve(int(sys.argv[1]))"
_KILLED = (
    ExitCode.INTERRUPTED,
    *(-getattr(signal, name) for name in ("SIGKILL", "SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)),
)
"""Exit codes of a child that somebody else ended."""
_LAST_LINES = 5
"""Of the log of a child that crashed: so many are part of the error."""
_LINE_CHARACTERS = 200
_FREE_BYTES_NEEDED = 1_000_000
_WHEN_KILLED = -signal.SIGKILL if hasattr(signal, "SIGKILL") else 1
"""Exit code of a child after :meth:`Child.kill`; Windows has no signals, and Python's own ``kill`` ends a process with 1 there."""
_PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables by which numerical libraries are told how many threads they use."""


class Child(Protocol):
    """A process that answers one question, see :func:`serve`."""

    stdin: IO[str] | None

    @property
    def stdout(self) -> Iterable[str] | None:
        """Its lines."""

    def kill(self) -> None:
        """Ends the process at once; does nothing where it has ended."""

    def wait(self) -> int:
        """Waits until the process has ended and returns its exit code, that of a signal negative."""


def start_cold(log: IO[bytes], threads: Mapping[str, str] | None = None) -> Child:
    """Starts a child as a new interpreter that has imported nothing.

    Args:
        log: Gets what it prints.
        threads: See :func:`child_environment`.
    """
    return subprocess.Popen(  # unbuffered, or what it printed would be lost with os._exit and in a crash
        [sys.executable, "-u", "-c", _SERVE, str(os.getpid())],
        env=child_environment(threads),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def run_in_child(
    task: AnyTask[Answer],
    *,
    timeout_seconds: float,
    log: Path,
    on_progress: OnProgress | None = None,
    on_ready: Callable[[], None] = lambda: None,
    start: Callable[[IO[bytes]], Child] = start_cold,
) -> Answer:
    """Carries out a task in a child process.

    Args:
        task: What to call with what.
        timeout_seconds: The child is killed after that long without progress.
        log: What the child prints is appended here.
        on_progress: Gets what the child reports with :func:`report_progress`.
        on_ready: Called when the child calls :func:`wait_for_turn`, which returns when this does.
        start: Starts the child, given the open log.

    Raises:
        UsageError: the function raised it.
        DiskFull: there is no space left.
        ProcessKilled: the child was killed or interrupted from outside, perhaps with the whole group of processes.
        CandidateFailed: the child crashed, raised anything else, or ran out of time.
    """
    with open_to_append(log) as stream:
        stream.write(f"--- {task.target}\n".encode())
        begin = stream.tell()
        child = start(stream)
        limit = TimeLimit(timeout_seconds, child.kill)

        def progress(done: int, total: int, note: str) -> None:
            limit.extend()
            if on_progress:
                on_progress(done, total, note)

        try:
            limit.start()
            reply = _converse(child, task.question, stream, progress, on_ready)
            timed_out = limit.expired and child.wait() == _WHEN_KILLED
        finally:
            limit.cancel()
            child.kill()
            child.wait()
            _close(child)
    name = task.name
    if reply is None:
        if shutil.disk_usage(log.parent).free < _FREE_BYTES_NEEDED:
            raise _disk_full(log.parent)
        if timed_out:
            raise CandidateFailed(f"{name}: no result within {timeout_seconds:g} s; see {log}")
        failure = ProcessKilled if child.wait() in _KILLED else CandidateFailed
        raise failure(f"{name}: {how_it_ended(child.wait())}; see {log}", _last_lines(log, begin))
    if "error" in reply:
        if reply["error"] == "failed" and shutil.disk_usage(log.parent).free < _FREE_BYTES_NEEDED:
            raise _disk_full(log.parent)  # native code names a full disk in its own words
        raise _rebuild(reply, name, log)
    answer: Answer = from_document(task.answer, reply["answer"])
    return answer


def child_environment(threads: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment of a child, which lets it import this very edgevit, installed or not.

    Args:
        threads: All of ``THREAD_VARIABLES`` that it has; those of this process when None.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)  # Python takes an empty entry for the current folder
    found = [str(Path(__file__).parents[2]), *filter(None, given)]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(found), "PYTHONSAFEPATH": "1"}
    if threads is None:
        return own
    return {**{name: value for name, value in own.items() if name not in THREAD_VARIABLES}, **threads}


def thread_variables() -> dict[str, str]:
    """Returns those of ``THREAD_VARIABLES`` that this process has."""
    return {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}


def report_progress(done: int, total: int, note: str = "") -> None:
    """Tells the parent how far this child is; does nothing in any other process.

    Args:
        done: Steps.
        total: Steps in all.
        note: For people: what the last step gave, such as a loss.
    """
    global _LAST
    _LAST = done, total
    if _RELAY is not None:
        _RELAY(done, total, note)
    elif _CHANNEL is not None:
        _send({"done": done, "total": total, "note": note})


def report_alive(note: str) -> None:
    """Tells the parent that this child goes on at the step that it reported last, so that its time does not run out.

    Args:
        note: For people: what it does.
    """
    report_progress(*_LAST, note)


def relay_progress(send: OnProgress) -> None:
    """Sends what this process reports another way from now on, such as to a child that started this process and passes it on.

    Args:
        send: Gets what :func:`report_progress` gets.
    """
    global _RELAY
    _RELAY = send


def wait_for_turn() -> None:
    """Tells the parent that this child is ready to time something, and waits until it may; does nothing in any other process."""
    if _CHANNEL is not None:
        _send({"ready": True})
        sys.stdin.readline()


def _converse(
    child: Child,
    question: str,
    log: IO[bytes],
    on_progress: OnProgress,
    on_ready: Callable[[], None],
) -> dict[str, Any] | None:
    assert child.stdout is not None
    if not _tell(child, question):
        return None  # it died before it read its argument; the return code says how
    reply = None
    for line in child.stdout:
        before, mark, message = line.partition(MARK)
        log.write(before.encode(errors="backslashreplace"))
        if not mark or not message.endswith("\n"):  # without the end: the child was stopped while it wrote
            continue
        document = json.loads(message)
        if "ready" in document:
            on_ready()
            _tell(child, "")
        elif "done" not in document:
            reply = document
        else:
            on_progress(document["done"], document["total"], document["note"])
    return reply if child.wait() == 0 else None


def _tell(child: Child, line: str) -> bool:
    """Writes a line to a child; returns whether it could be written, which it cannot be to one that has ended."""
    assert child.stdin is not None
    try:
        child.stdin.write(line + "\n")
        child.stdin.flush()
    except OSError:  # a broken pipe, which Windows has no name for
        return False
    return True


def _close(child: Child) -> None:
    assert child.stdin is not None
    with contextlib.suppress(OSError):  # it did not read everything
        child.stdin.close()


def how_it_ended(code: int) -> str:
    """Returns how a process ended, by its exit code: that of a signal is negative."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the process was killed by {name}" + (" (out of memory?)" if code == _WHEN_KILLED else "")


def _last_lines(log: Path, begin: int) -> str | None:
    """What a child printed last, for the error; None where it printed nothing.

    Args:
        log: Its log.
        begin: Bytes that were in it before.
    """
    with log.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode(errors="replace")
    lines = [line.rstrip()[:_LINE_CHARACTERS] for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    return "\n  ".join(["it printed at last:", *lines]) if lines else None


def _rebuild(reply: dict[str, Any], name: str, log: Path) -> EdgevitError:
    if reply["error"] == "disk full":
        return _disk_full(log.parent)
    if reply["error"] == "usage":
        return UsageError(reply["message"], reply["hint"])
    if reply["error"] == "killed":
        return ProcessKilled(f"{name}: {reply['message']}", reply["hint"])
    return CandidateFailed(f"{name}: {reply['message']}", f"whole message in {log}")


def _disk_full(folder: Path) -> DiskFull:
    return disk_full(folder, "free some space, then run the same command with --resume")


def _send(document: dict[str, Any]) -> None:
    if _CHANNEL is None:
        raise RuntimeError("only a child of run_in_child() can send")
    _CHANNEL.write(MARK + json.dumps(document) + "\n")
    _CHANNEL.flush()


_CHANNEL: IO[str] | None = None
"""The child's way to its parent; None in any other process."""
_LAST = (0, 1)
"""What this process reported last: steps done, and in all."""
_RELAY: OnProgress | None = None
"""See :func:`relay_progress`."""


def serve(
    parent: int,
    read: Callable[[type[Any], Any], Any] = from_document,
    write: Callable[[Any], Any] = to_document,
) -> None:
    """Answers one call in the child and ends the process.

    Args:
        parent: Process id of the process that started this one.
        read: Makes the argument, given its class and plain values.
        write: Makes plain values of the answer.
    """
    global _CHANNEL
    end_with(parent)
    _CHANNEL = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print belongs in the log
    code = _answer(read, write)
    sys.stderr.flush()
    os._exit(code)  # some runtimes crash while Python tears them down, after the answer was given


def end_with(parent: int) -> None:
    """Lets this process be killed when its parent is (Linux), so that it writes nothing more into a run that is resumed.

    The kernel means the thread that started this process: it has to live as long as this process is to.

    Args:
        parent: Process id of the parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call above
            os._exit(ExitCode.INTERRUPTED)


def _answer(read: Callable[[type[Any], Any], Any], write: Callable[[Any], Any]) -> int:
    """Calls the function; any error becomes a message to the parent, for this is the child's error edge."""
    try:
        question = json.loads(sys.stdin.readline())
        function = _named(question["function"])
        answer = function(read(_named(question["type"]), question["value"]))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except EdgevitError as error:
        _send_error(error)
    except Exception as error:  # noqa: BLE001  the child's error edge
        missing = import_failure(error) if isinstance(error, ImportError) else None
        if is_full_disk(error):
            _send({"error": "disk full"})
        elif missing:
            _send_error(missing)
        else:
            traceback.print_exc()
            lines = [line for line in str(error).strip().splitlines() if line.strip()] or ["no message"]
            _send({"error": "failed", "message": f"{type(error).__name__}: {lines[0][:300]}"})
    else:
        _send({"answer": write(answer)})
    return 0


def _send_error(error: EdgevitError) -> None:
    kind = "disk full" if isinstance(error, DiskFull) else "usage" if isinstance(error, UsageError) else "failed"
    _send({"error": kind, "message": error.message, "hint": error.hint})


def _named(place: str) -> Any:
    """What stands at "module:name"."""
    module, _, name = place.partition(":")
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))
