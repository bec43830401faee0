"""A phone to measure on: what it is, a cache of files by their sha256, and one program at a time that is ended in any case."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.adb import Adb
from edgevit.measure.boards.phone_lock import LOST, held
from edgevit.measure.boards.phone_state import PROBE, STATE, PhoneFacts, PhoneState, parse_facts, parse_state
from edgevit.run.files import file_sha256

FOLDER = "/data/local/tmp/edgevit"
"""All that edgevit writes on a phone; /data/local/tmp is the one place where adb may write and run programs."""
PROGRAM_SUFFIX = "-benchmark_model"
_PID = f"{FOLDER}/run.pid"
_END_PROGRAM = (
    f"p=$(cat {_PID} 2>/dev/null);"
    f' if [ -n "$p" ] && grep -q {PROGRAM_SUFFIX[1:]} "/proc/$p/cmdline" 2>/dev/null; then kill -9 "$p"; fi; rm -f {_PID}'
)
"""Ends what an earlier use left running, and nothing else that has got its number since."""
_ABI = "arm64-v8a"


@dataclass(frozen=True)
class Phone:
    """An open phone."""

    adb: Adb
    facts: PhoneFacts
    renew: str
    """Script that renews the lease of its lock, see :func:`edgevit.measure.boards.phone_lock.held`."""

    @property
    def name(self) -> str:
        """As ``--on`` names it."""
        return f"adb:{self.adb.serial}"

    def send(self, file: Path, suffix: str) -> str:
        """Copies a file into the cache, unless it is there whole, and returns its path on the phone.

        It has its last name only once its sha256 is right there.

        Args:
            file: Of this machine.
            suffix: Of its name there, after the sha256.

        Raises:
            DiskFull: there is no space left on the phone.
            CandidateFailed: it cannot be written, or arrives damaged, or the connection was lost.
        """
        digest = file_sha256(file)
        place = f"{FOLDER}/{digest}{suffix}"
        if self._digest(place) == digest:
            return place
        part = f"{place}.part"
        try:
            self.adb.push(file, part)
            if self._digest(part) != digest:
                raise CandidateFailed(
                    f"{file} arrived damaged on the phone {self.adb.serial}", "try another cable or port"
                )
            _do(self.adb, f"chmod 700 {part} && mv -f {part} {place}")
        except BaseException:
            self._try(f"rm -f {part}")
            raise
        return place

    def run(self, argv: Sequence[str], timeout_seconds: float) -> CompletedProcess[str]:
        """Runs a program of the cache there; when it takes too long, it is ended.

        Args:
            argv: Its path there and its arguments.
            timeout_seconds: For it.

        Raises:
            CandidateFailed: it did not end in time, or the connection was lost, or another process took the phone over.
        """
        program = shlex.quote(f"echo $$ > {_PID}; exec {shlex.join(argv)}")
        script = f"{self.renew}; cd {FOLDER} && sh -c {program}; s=$?; rm -f {_PID}; exit $s"
        try:
            done = self.adb.shell(script, timeout_seconds)
        except TimeoutError as error:
            self._try(_END_PROGRAM)
            raise CandidateFailed(
                f"benchmark_model did not end within {timeout_seconds:.0f} s on the phone, and was ended there",
                "a delegate may hang: try another --delegate",
            ) from error
        if done.returncode == LOST:
            raise CandidateFailed(
                f"the lock on the phone {self.adb.serial} was taken over by another process",
                "measure again when that one ended",
            )
        return done

    def state(self) -> PhoneState:
        """Returns heat, battery and charger as they are now."""
        return parse_state(_do(self.adb, STATE))

    def cache_bytes(self) -> int:
        """Returns the size of all that edgevit has on the phone."""
        kilobytes = _do(self.adb, f"du -sk {FOLDER} 2>/dev/null || echo 0").split()
        return 1024 * int(kilobytes[0]) if kilobytes and kilobytes[0].isdigit() else 0

    def _digest(self, place: str) -> str:
        """The sha256 of a file there; "" where there is none."""
        found = _do(
            self.adb, f"[ -f {place} ] || exit 0; sha256sum {place} 2>/dev/null || toybox sha256sum {place}"
        ).split()
        return found[0] if found else ""

    def _try(self, script: str) -> None:
        """Cleans up where it can still be done; the reason for it matters more than that it failed."""
        for pause_seconds in (0.0, 1.0):
            time.sleep(pause_seconds)
            try:
                self.adb.shell(script)
            except (CandidateFailed, TimeoutError):
                continue
            return


@contextmanager
def use_phone(adb: Adb) -> Iterator[Phone]:
    """Connects to a phone, locks it, and ends what an earlier use left running there.

    Args:
        adb: The client, for that phone.

    Raises:
        UsageError: there is no adb, or the phone cannot be used, or is in use, or has no 64-bit Arm processor.
        CandidateFailed: its shell does not do what it is told.
    """
    adb.connect()
    facts = parse_facts(_do(adb, PROBE))
    if facts.abis and _ABI not in facts.abis:
        raise UsageError(
            f"the phone {adb.serial} runs programs for {', '.join(facts.abis)}, not for {_ABI}",
            "take a phone with 64-bit Android",
        )
    with held(partial(_do, adb), FOLDER, f"the phone {adb.serial}") as renew:
        _do(adb, f"{_END_PROGRAM}; rm -f {FOLDER}/*.part")
        yield Phone(adb, facts, renew)


def clean_phone(adb: Adb) -> int:
    """Removes all that edgevit has on a phone, and returns how many bytes that were.

    Raises:
        UsageError: there is no adb, or the phone cannot be used, or is in use.
        CandidateFailed: its shell does not do what it is told.
    """
    with use_phone(adb) as phone:
        kept = set(_do(adb, f"ls -A {FOLDER}").split()) - {"lock"}
        size = phone.cache_bytes() if kept else 0
        _do(adb, f"rm -rf {FOLDER}")
    return size


def _do(adb: Adb, script: str) -> str:
    try:
        done = adb.shell(script, 60.0)
    except TimeoutError as error:
        raise CandidateFailed(f"the phone {adb.serial} gives no answer", "is it still on? plug it in again") from error
    if done.returncode != 0:
        raise CandidateFailed(
            f"the phone {adb.serial} refuses `{script[:80]}`: {(done.stderr or done.stdout).strip()[:200]}",
            f"may adb write to {FOLDER}?",
        )
    return done.stdout
