"""The connection to a board: a session of ssh that holds the board's lock, and further ones that share it."""

from __future__ import annotations

import getpass
import platform
import secrets
import shlex
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.errors import UsageError
from edgevit.measure.boards import bootstrap
from edgevit.measure.boards.address import Address
from edgevit.measure.boards.lock import LEASE_SECONDS
from edgevit.measure.boards.runner import Runner, build_runner
from edgevit.measure.boards.session import ANSWER_SECONDS, Remote, Session
from edgevit.measure.boards.ssh import master_command, session_command, ssh_program

Tell = Callable[[str], None]
"""Gets a line for people."""


@dataclass(frozen=True)
class BoardSpec:
    """A board that is asked for."""

    address: Address
    """For SSH."""
    python: str = "python3"
    """That runs there: a name, or a path that may begin with "~/"."""
    wait_seconds: float = 600.0
    """How long to wait for another bench there to end."""
    name: str = ""
    """That measurements have as their device; the host of the address when empty."""


@dataclass(frozen=True)
class _Begun:
    """A connection on which Python has started, before the board has the runner or the lock."""

    remote: Remote
    master: Session
    runner: Runner
    token: str
    found: dict[str, Any]
    """What the board says of itself."""


@dataclass(frozen=True)
class Connection:
    """A board whose lock is held."""

    remote: Remote
    master: Session
    folder: str
    """The board's folder of edgevit, absolute."""
    token: str
    runner: Runner
    cache_bytes: int
    """In that folder."""

    def command(self, name: str) -> list[str]:
        """Returns the command of ssh that runs a command of the runner: "store" or "task".

        Raises:
            UsageError: the connection is lost.
        """
        self.check(f"starting a {name}")
        words = [_runner_path(self.folder, self.runner), name, self.folder, self.token]
        line = self.remote.line(" ".join(["-u", *map(shlex.quote, words)]))
        return session_command(self.remote.program, self.remote.address, self.remote.socket, line)

    def check(self, doing: str) -> None:
        """Checks that the connection is there.

        Raises:
            UsageError: it is not.
        """
        if self.master.process.poll() is not None:
            self.master.doing = doing
            raise self.master.failure()


@contextmanager
def connect(board: BoardSpec, tell: Tell) -> Iterator[Connection]:
    """Connects to a board and takes its lock.

    Args:
        board: Which.
        tell: Gets a line when another bench is waited for.

    Raises:
        UsageError: the connection failed, Python is missing there or too old, the disk is full, or another bench runs there.
    """
    with _begun(board) as begun:
        connection = _hold(begun, board, tell)
        ended = threading.Event()
        threading.Thread(target=_beat, args=(begun.master, ended), daemon=True).start()
        try:
            yield connection
        finally:
            ended.set()


def clean_board(board: BoardSpec, tell: Tell) -> tuple[str, int]:
    """Removes what edgevit keeps on a board; the arguments are those of :func:`connect`, also for what it raises.

    Returns:
        The folder, and the bytes that were in it; 0 where there is none.
    """
    with _begun(board) as begun:
        if not begun.found["has_folder"]:
            return str(begun.found["folder"]), 0
        connection = _hold(begun, board, tell)
        begun.master.doing = "removing its folder"
        begun.master.write(b"clean\n")
        return connection.folder, int(begun.master.answer()["removed_bytes"])


@contextmanager
def _begun(board: BoardSpec) -> Iterator[_Begun]:
    """Starts Python on a board."""
    runner, token = build_runner(), secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="edgevit-") as private:
        remote = Remote(board.address, board.python, ssh_program(), Path(private))
        line = remote.line(bootstrap.FIRST)
        master = Session(remote, master_command(remote.program, board.address, remote.socket, line), "master")
        try:
            with suppress(OSError):  # it has ended, which its answer tells
                hold = (token, _who(), str(board.wait_seconds))
                master.write(bootstrap.first_line(runner.sha256, len(runner.content), hold))
            found = master.answer()
            if found["old"]:
                least = ".".join(map(str, bootstrap.LEAST_PYTHON))
                raise UsageError(
                    f"{board.address}: {board.python} there is Python {found['python']}, and edgevit needs {least}",
                    "name a newer one with --python, such as python3.11 or that of a virtual environment",
                )
            yield _Begun(remote, master, runner, token, found)
        finally:
            master.close()


def _hold(begun: _Begun, board: BoardSpec, tell: Tell) -> Connection:
    """Sends the runner where it is not there, and waits for the lock."""
    master, found = begun.master, begun.found
    if not found["has_runner"]:
        master.doing = "sending the runner"
        with suppress(OSError):
            master.write(begun.runner.content)
    master.doing = "waiting for its lock"
    while "held_by" in (answer := master.answer(ANSWER_SECONDS + board.wait_seconds)):
        whose = f"{board.address} is in use by {answer['held_by']} for {answer['for_seconds']:.0f} s"
        if answer["refused"]:
            raise UsageError(whose, "wait for that bench to end, or give --wait a longer time")
        tell(f"{whose}: waiting up to {board.wait_seconds:.0f} s for it")
    size_bytes = int(answer["size_bytes"])
    return Connection(begun.remote, master, str(found["folder"]), begun.token, begun.runner, size_bytes)


def _beat(master: Session, ended: threading.Event) -> None:
    """Tells the board every few seconds that this host is there."""
    while not ended.wait(LEASE_SECONDS / 3):
        with suppress(OSError, ValueError):  # the connection is lost, which whoever uses it next finds
            master.write(b"beat\n")


def _runner_path(folder: str, runner: Runner) -> str:
    return f"{folder}/runner-{runner.sha256}.pyz"


def _who() -> str:
    return f"{getpass.getuser()}@{platform.node()}"
