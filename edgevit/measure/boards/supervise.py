"""Carries out one task on the board, in a child that does not outlive the connection.

The child answers as :func:`edgevit.run.child_process.serve` does; its lines go to stdout, and what comes on stdin goes to it. Its
process group is killed when stdin closes, as it does when the host ends or the connection is cut, and when the board is no
longer locked for this host.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

from edgevit.measure.boards.lock import holds_lock
from edgevit.measure.boards.messages import say
from edgevit.results.plain import from_plain, to_plain
from edgevit.run.child_process import how_it_ended, serve

_LOOK_AT_LOCK_S = 5.0
_CHUNK = 1 << 16
_NEVER_RETURNS = 70


def supervise(folder: Path, token: str) -> int:
    """Carries out the task whose question stands on stdin.

    Args:
        folder: The board's folder of edgevit.
        token: Of the lock.

    Returns:
        The exit code of this process: 0 where the last line told an answer or an error.
    """
    pid, to_child, from_child = _start()
    try:
        lost = _relay(to_child, from_child, folder, token)
        code = None if lost else _wait(pid)
    except BrokenPipeError:
        return 1  # the host is gone
    finally:
        _kill(pid)
    if lost == "lock" and select.select([], [1], [], 0)[1]:
        say({"error": "usage", "message": "another bench took the board meanwhile", "hint": "run the command again"})
    elif code:
        hint = f"the board has {_memory()}" if code == -signal.SIGKILL else None
        say({"error": "killed" if code < 0 else "failed", "message": how_it_ended(code), "hint": hint})
    return 1 if lost == "host" else 0


def _start() -> tuple[int, int, int]:
    """Forks the child; returns its process id, and the ends of the pipes to and from it."""
    child_in, to_child = os.pipe()
    from_child, child_out = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.dup2(child_in, 0)
            os.dup2(child_out, 1)
            for number in (child_in, to_child, from_child, child_out):
                os.close(number)
            serve(parent, from_plain, to_plain)
        finally:
            os._exit(_NEVER_RETURNS)
    os.close(child_in)
    os.close(child_out)
    return pid, to_child, from_child


def _relay(to_child: int, from_child: int, folder: Path, token: str) -> str:
    """Passes lines on until the child closes its output; returns "host" or "lock" where that was lost before, else "".

    Nothing here may block: a host that fell silent reads nothing, and its child has to end all the same.
    """
    pending, looked = b"", time.monotonic()
    while True:
        if time.monotonic() - looked > _LOOK_AT_LOCK_S:
            looked = time.monotonic()
            if not holds_lock(folder, token):
                return "lock"
        reading, writing = ([0], [1]) if pending else ([0, from_child], [])
        readable, writable, _ = select.select(reading, writing, [], _LOOK_AT_LOCK_S)
        if 0 in readable:
            chunk = os.read(0, _CHUNK)
            if not chunk:
                return "host"
            with suppress(BrokenPipeError):  # it has ended, which its output tells
                _write(to_child, chunk)
        if from_child in readable:
            pending = os.read(from_child, _CHUNK)
            if not pending:
                return ""
        if writable:
            pending = pending[os.write(1, pending[: select.PIPE_BUF]) :]


def _wait(pid: int) -> int:
    """Returns the exit code of a child, that of a signal negative; its process id stays its own."""
    status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert status is not None
    return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status


def _kill(pid: int) -> None:
    """Ends a child and all that it started."""
    for kill in (os.kill, os.killpg):  # it may not have its group yet
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _write(number: int, content: bytes) -> None:
    while content:
        content = content[os.write(number, content) :]


def _memory() -> str:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return "an unknown amount of memory"
    kib = {line.partition(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}
    return f"{kib.get('MemTotal', 0) / 1e6:.1f} GB of memory, {kib.get('MemAvailable', 0) / 1e6:.1f} GB of it available now"
