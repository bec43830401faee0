"""Functions with files that the tests of this folder call in child processes, on any machine."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from edgevit.run.child_process import report_progress, wait_for_turn


@dataclass(frozen=True)
class Copy:
    """A file to read, and one to write; how often it was done is noted in a third, which no key knows of."""

    source: Path
    target: Path
    seconds: float = 0.0
    number: int = 0


@dataclass(frozen=True)
class Copied:
    """What came of it."""

    target: Path
    size: int
    threads: str


def copy(job: Copy) -> Copied:
    note("copy")
    time.sleep(job.seconds)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    job.target.write_bytes(job.source.read_bytes() + str(job.number).encode())
    print(f"copied {job.number}")
    return Copied(job.target, job.target.stat().st_size, os.environ.get("OMP_NUM_THREADS", "unset"))


@dataclass(frozen=True)
class Number:
    """Tells tasks apart, and says how long they take."""

    number: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Span:
    """When something ran, by the wall clock, and in which process."""

    begin: float
    end: float
    machine: str
    value: float = 0.0


def sleep(job: Number) -> Span:
    note("sleep")
    begin = time.time()
    time.sleep(job.seconds)
    return Span(begin, time.time(), os.environ.get("XDG_CACHE_HOME", ""))


@dataclass(frozen=True)
class Numbered:
    """An answer that is the same whenever and wherever it is given."""

    number: int
    square: int


def numbered(job: Number) -> Numbered:
    note(f"numbered {job.number}")
    time.sleep(job.seconds)
    return Numbered(job.number, job.number**2)


def sleep_in_turn(job: Number) -> Span:
    note("sleep in turn")
    wait_for_turn()
    begin = time.time()
    time.sleep(job.seconds)
    return Span(begin, time.time(), os.environ.get("XDG_CACHE_HOME", ""))


def nothing(job: Number) -> Span:
    return Span(0, 0, "")


def spin(job: Number) -> Span:
    """Computes for so many seconds of this process's own."""
    begin = time.time()
    while time.process_time() < job.seconds:
        sum(range(1000))
    return Span(begin, time.time(), "")


def tell_progress(job: Number) -> Span:
    for number in range(job.number):
        report_progress(number + 1, job.number, f"step {number + 1}")
        time.sleep(job.seconds)
    return Span(0, 0, "")


def crash_in_native_code(job: Number) -> Span:
    note("crash")
    print(f"candidate {job.number} reads address 0")
    ctypes.string_at(0)
    raise AssertionError("unreachable")


def not_a_number(job: Number) -> Span:
    return Span(0, 0, "", float("nan"))


def be_killed(job: Number) -> Span:
    note("killed")
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def note(what: str) -> None:
    """Counts an execution, in a file that the environment of the worker names."""
    path = os.environ.get("EDGEVIT_TEST_NOTES")
    if path:
        with Path(path).open("a") as stream:
            stream.write(f"{what}\n")
