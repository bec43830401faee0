"""One process of ``ssh``, and the messages of what it runs on a board."""

from __future__ import annotations

import os
import queue
import shlex
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from edgevit.errors import UsageError
from edgevit.measure.boards.address import Address
from edgevit.measure.boards.messages import heard
from edgevit.measure.boards.ssh_errors import SSH_FAILED, command_error, connection_error, ended_error, lost_error

ANSWER_SECONDS = 120.0
"""For an answer of the board that takes no work: a small one starts Python in seconds."""
_END_SECONDS = 10.0


@dataclass(frozen=True)
class Remote:
    """How a board is reached, and what runs there."""

    address: Address
    python: str
    """That runs there: a name, or a path that may begin with "~/"."""
    program: str
    """The OpenSSH client."""
    private: Path
    """A folder that only this user may enter: the connection's socket, and what ssh prints."""

    @property
    def socket(self) -> Path:
        """Of the connection that all sessions share."""
        return self.private / "s"

    def line(self, arguments: str) -> str:
        """Returns the line for the shell of the board that runs Python with some arguments, which are quoted already."""
        if self.python.startswith("~/"):
            return f'exec "$HOME"/{shlex.quote(self.python[2:])} {arguments}'
        return f"exec {shlex.quote(self.python)} {arguments}"


def start_ssh(command: list[str], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts a process of ssh that speaks English, whose errors are told apart by their words."""
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment)


class Session:
    """A process of ssh, and what it runs on the board."""

    def __init__(self, remote: Remote, command: list[str], name: str) -> None:
        """Starts it.

        Args:
            remote: How the board is reached.
            command: Of ssh.
            name: Unique among the sessions of the connection.
        """
        self.doing = "connecting"
        """For errors."""
        self._remote = remote
        self._stderr = remote.private / f"{name}.txt"
        with self._stderr.open("wb") as stream:
            self.process = start_ssh(command, stream)
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._heard_any = False
        threading.Thread(target=self._listen, daemon=True).start()

    def write(self, content: bytes) -> None:
        """Sends bytes.

        Raises:
            OSError: nobody reads them.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(content)
        self.process.stdin.flush()

    def answer(self, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Waits for the next message.

        Raises:
            UsageError: the connection failed, or was lost; the board tells an error, or nothing in that time.
        """
        try:
            message = self._messages.get(timeout=seconds)
        except queue.Empty:
            raise UsageError(
                f"{self._remote.address}: nothing came back within {seconds:g} s while {self.doing}",
                "is the board very busy, or does its shell wait for something, as in .bashrc?",
            ) from None
        if message is None:
            raise self.failure()
        self._heard_any = True
        if "error" in message:
            raise board_error(self._remote.address, message, self.doing)
        return message

    def failure(self) -> UsageError:
        """Returns why the process ended before it should."""
        address, code = self._remote.address, self.process.wait()
        printed = self._stderr.read_text(encoding="utf-8", errors="replace")
        if self._heard_any:
            if code == SSH_FAILED or code < 0:
                return lost_error(address, self.doing, printed)
            return ended_error(address, self.doing, code, printed)
        if code == SSH_FAILED:
            return connection_error(address, printed)
        return command_error(address, self._remote.python, code, printed)

    def close(self) -> None:
        """Ends the process: its stdin is closed, and it is killed where that is not enough."""
        with suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                message = heard(line.decode(errors="replace"))
                if message is not None:
                    self._messages.put(message)
        finally:
            self._messages.put(None)


def board_error(address: Address, message: dict[str, Any], doing: str) -> UsageError:
    """Returns the error that a board told.

    Args:
        address: Of the board.
        message: With "error", its kind, and "message".
        doing: What was being done.
    """
    if message["error"] == "disk full":
        return UsageError(
            f"{address}: its disk is full: {message.get('message', 'no space left')} (while {doing})",
            f"free some space there, or remove what edgevit keeps there: edgevit bench --on {address} --clean",
        )
    return UsageError(f"{address}: {message['message']} (while {doing})", message.get("hint"))
