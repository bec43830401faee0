"""A phone through the system's own ``adb`` client: commands there, files to it, and its errors told apart."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from edgevit.errors import CandidateFailed, DiskFull, UsageError

_END = "edgevit-status:"
"""Printed after each command: the status of older phones is told by nothing else, and a lost connection leaves it out."""
_STATUS = re.compile(rf"{_END}(\d+)\s*\Z")
_ANSWER_SECONDS = 20.0
_PUSH_SECONDS = 600.0

_FAULTS = (
    (
        re.compile(r"unauthorized|still authorizing"),
        "the phone {serial} does not trust this computer yet",
        "unlock it and allow USB debugging in the question that it shows",
    ),
    (
        re.compile(r"device offline"),
        "the phone {serial} is offline",
        "plug it in again; on the phone, turn USB debugging off and on",
    ),
    (
        re.compile(r"more than one device"),
        "several phones are connected, and {serial} does not say which one",
        "give its serial number, as `adb devices` lists it: --on adb:SERIAL",
    ),
    (
        re.compile(r"not found|no devices"),
        "no phone {serial} is connected",
        "{known}; is it plugged in, with USB debugging on (Settings, Developer options)?",
    ),
    (
        re.compile(r"no permissions|insufficient permissions"),
        "this user may not use the USB device of the phone {serial}",
        "install Android's udev rules (package android-sdk-platform-tools-common), and plug it in again",
    ),
    (
        re.compile(r"cannot connect to daemon|failed to start daemon|doesn't match this client|cannot bind"),
        "the server of adb does not work",
        "`adb kill-server`, then try again",
    ),
)


@dataclass(frozen=True)
class Adb:
    """The client, for one phone."""

    serial: str
    """As ``adb devices`` lists it."""
    program: str = "adb"

    def connect(self) -> None:
        """Checks that the phone can be used.

        Raises:
            UsageError: there is no adb, or no such phone, or it is not ready; the message tells which.
        """
        if shutil.which(self.program) is None:
            raise UsageError(
                "there is no adb on this machine",
                "install Android's platform-tools: `apt install adb`, or developer.android.com/tools/releases/platform-tools",
            )
        self._start_server()
        answer = self._call(("get-state",), _ANSWER_SECONDS)
        state = answer.stdout.strip()
        if answer.returncode == 0 and state == "device":
            return
        if answer.returncode == 0:
            raise UsageError(f"the phone {self.serial} is in the state {state!r}", "start Android on it")
        raise self._fault(answer.stderr)

    def shell(self, script: str, timeout_seconds: float = _ANSWER_SECONDS) -> CompletedProcess[str]:
        """Runs a script of Android's shell and returns what it printed, with its own status.

        Args:
            script: Of ``/system/bin/sh``.
            timeout_seconds: After which this side stops waiting; the script may still run on the phone.

        Raises:
            CandidateFailed: the connection was lost.
            TimeoutError: the time is over.
        """
        answer = self._call(("shell", f"({script}\n); echo {_END}$?"), timeout_seconds)
        ended = _STATUS.search(answer.stdout)
        if ended is None:
            raise self._lost(answer)
        return CompletedProcess(script, int(ended[1]), answer.stdout[: ended.start()], answer.stderr)

    def push(self, file: Path, place: str) -> None:
        """Copies a file to the phone.

        Args:
            file: Of this machine.
            place: Path there; what was there is replaced.

        Raises:
            DiskFull: there is no space left on the phone.
            CandidateFailed: the phone does not permit it, or the connection was lost.
        """
        try:
            answer = self._call(("push", str(file), place), _PUSH_SECONDS)
        except TimeoutError as error:
            raise CandidateFailed(
                f"{file} did not reach the phone within {_PUSH_SECONDS:.0f} s", "try another cable"
            ) from error
        if answer.returncode == 0:
            return
        said = f"{answer.stdout}\n{answer.stderr}"
        if "No space left" in said:
            raise DiskFull(
                f"there is no space left on the phone {self.serial} for {file}",
                "free some, or `--clean` edgevit's own files",
            )
        if re.search(r"Permission denied|Read-only file system|Operation not permitted", said):
            raise CandidateFailed(
                f"the phone {self.serial} does not let {place} be written",
                "a phone that is managed by a company or school may forbid it; take another",
            )
        raise self._lost(answer)

    def connected(self) -> tuple[str, ...]:
        """Returns the serial numbers that adb knows, those that are not ready included."""
        lines = self._call_plain((self.program, "devices"), _ANSWER_SECONDS).stdout.splitlines()[1:]
        return tuple(line.split("\t")[0] for line in lines if "\t" in line)

    def _fault(self, said: str) -> UsageError:
        for pattern, message, hint in _FAULTS:
            if pattern.search(said):
                known = self.connected()
                listed = f"adb knows {', '.join(known)}" if known else "adb knows none"
                return UsageError(message.format(serial=self.serial), hint.format(known=listed))
        return UsageError(f"adb cannot use the phone {self.serial}: {_line(said)}", "look at `adb devices -l`")

    def _lost(self, answer: CompletedProcess[str]) -> CandidateFailed:
        return CandidateFailed(
            f"the connection to the phone {self.serial} was lost: {_line(answer.stderr or answer.stdout)}",
            "was it unplugged, or did it restart? plug it in again; edgevit ends there what still runs, when it is used next",
        )

    def _start_server(self) -> None:
        """Starts adb's server apart from other calls, for it keeps what its first caller had open."""
        try:
            subprocess.run(
                (self.program, "start-server"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UsageError("the server of adb does not start", "`adb kill-server`, then try again") from error

    def _call(self, words: Sequence[str], timeout_seconds: float) -> CompletedProcess[str]:
        return self._call_plain((self.program, "-s", self.serial, *words), timeout_seconds)

    def _call_plain(self, argv: Sequence[str], timeout_seconds: float) -> CompletedProcess[str]:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"adb gave no answer within {timeout_seconds:.0f} s") from error
        return CompletedProcess(argv, done.returncode, _unix(done.stdout), _unix(done.stderr))


def _unix(text: str) -> str:
    """Older phones end lines as terminals do."""
    return text.replace("\r\n", "\n")


def _line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
