"""Runs a program in a child process, here or on a board, and gives back what it printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.measure.emulation import emulation
from edgevit.measure.machine_changes import machine_conditions
from edgevit.measure.machine_state import cpu_name, read_state
from edgevit.measure.machine_watch import LOOK_SECONDS, watching
from edgevit.results.machine_state import MachineConditions, MachineSpan

NOT_FOUND = 127
"""Return code where there is no such program, as of a shell."""
NOT_RUN = 126
"""Return code where it cannot be started, as of a shell."""


@dataclass(frozen=True)
class ProgramJob:
    """A command line."""

    words: tuple[str, ...]
    """A program's path, or its name, and its arguments; a path that is not there is looked up by its name."""
    timeout_seconds: float
    watched: bool = False
    """Whether to look at the machine meanwhile."""


@dataclass(frozen=True)
class ProgramDone:
    """How it ended."""

    returncode: int
    """That of a signal is negative."""
    stdout: str
    stderr: str
    timed_out: bool = False
    emulated: str = ""
    """Of one that was watched: why the machine is known to be emulated; "" if nothing says so."""
    machine: MachineConditions | None = None
    """Of one that was watched."""


def run_program(job: ProgramJob) -> ProgramDone:
    """Runs a program and waits for it; one that is missing, or does not end in time, is an answer too.

    Args:
        job: What to run.
    """
    program, *arguments = job.words
    found = program if os.access(program, os.X_OK) else shutil.which(Path(program).name)
    if found is None:
        return ProgramDone(NOT_FOUND, "", f"{program}: not found")
    before = read_state() if job.watched else None
    with watching(1) as watch:
        done = _run((found, *arguments), job.timeout_seconds, watch.look_if_due if job.watched else lambda: None)
        seen = watch.found()
    if before is None:
        return done
    during = replace(seen, busy_mhz=())  # which changes between building and timing, whatever the machine does
    span = MachineSpan(before, during, read_state())
    machine = machine_conditions(cpu_name(), span, None, None, "not of programs that build before they run")
    return replace(done, machine=machine, emulated=emulation())


def _run(words: Sequence[str], timeout_seconds: float, look: Callable[[], None]) -> ProgramDone:
    end = time.monotonic() + timeout_seconds
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        return ProgramDone(NOT_RUN, "", f"{words[0]}: {error.strerror}")
    with process:
        while (left := end - time.monotonic()) > 0:
            try:
                out, err = process.communicate(timeout=min(left, LOOK_SECONDS))
            except subprocess.TimeoutExpired:
                look()
            else:
                return ProgramDone(process.returncode, _text(out), _text(err))
        process.kill()
        out, err = process.communicate()
    return ProgramDone(process.returncode, _text(out), _text(err), timed_out=True)


def _text(printed: bytes) -> str:
    return printed.decode("utf-8", "replace")
