"""A child process of :func:`edgevit.run.child_process.run_in_child` that runs on a board."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from typing import IO, Any

from edgevit.errors import UsageError
from edgevit.measure.boards.address import Address
from edgevit.measure.boards.messages import heard
from edgevit.measure.boards.session import board_error
from edgevit.measure.boards.ssh_errors import SSH_FAILED, ended_error, lost_error
from edgevit.run.child_process import MARK


class BoardChild:
    """An ``ssh`` whose remote command carries out one task.

    What ssh tells by its exit code, it tells as an answer of the child: an error that says what happened to the board.
    """

    def __init__(self, process: subprocess.Popen[bytes], address: Address) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin: IO[str] | None = io.TextIOWrapper(process.stdin, encoding="utf-8")
        self._lines = io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace")
        self._process, self._address = process, address
        self._told = False

    @property
    def stdout(self) -> Iterator[str]:
        """Its lines, and at the end an error where the connection or the board's program failed."""
        for line in self._lines:
            message = heard(line)
            if message is None:
                yield line.replace(MARK, "")  # a shell may print anything
            elif message.get("error") == "disk full":
                yield self._error(board_error(self._address, message, "measuring"))
            else:
                yield line
        code = self._process.wait()
        if code == SSH_FAILED:
            yield self._error(lost_error(self._address, "measuring", ""))
        elif code > 0:
            yield self._error(ended_error(self._address, "measuring", code, ""))

    def kill(self) -> None:
        """Ends the connection of this child, which ends what it runs on the board."""
        self._process.kill()

    def wait(self) -> int:
        """Waits until ssh has ended; returns 0 where the last line told what happened, else its exit code."""
        code = self._process.wait()
        return 0 if self._told else code

    def _error(self, error: UsageError) -> str:
        self._told = True
        document: dict[str, Any] = {"error": "usage", "message": error.message, "hint": error.hint}
        return f"\n{MARK}{json.dumps(document)}\n"
