"""What a command costs with all processes that it starts: wall time, processor time and peak memory (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE_EVERY_S = 1.0
"""A sample of some large processes takes about 20 ms of processor time, which must not slow down what is measured."""
_PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2)."""


@dataclass(frozen=True)
class Cost:
    """What one command cost."""

    exit_code: int
    wall_s: float
    cpu_s: float
    """User and system time of all its processes."""
    tree_peak_bytes: int
    """Largest sampled sum of their memory, each shared page counted once (PSS)."""
    largest_peak_bytes: int
    """Largest resident memory of a single one, as the kernel had counted it when it was last sampled."""
    own_peak_bytes: int
    """Largest sampled anonymous memory of a single one: what is its own, mapped files apart."""
    output: str
    """What it wrote to stdout."""


def run_measured(command: Sequence[str], log: Path, sample_every_s: float = SAMPLE_EVERY_S) -> Cost:
    """Runs a command to its end and adds up what it and all processes that it started cost.

    Args:
        command: Program and arguments.
        log: Gets what it writes to stderr.
        sample_every_s: How often memory is looked at, in seconds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    others = set(_children()[os.getpid()])
    with _adopting(), log.open("ab") as errors, log.with_suffix(".out").open("wb") as output:
        begin = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        sampler = _Sampler(others, sample_every_s)
        sampler.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall_s = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        usages = [usage]
        while orphans := set(_children()[os.getpid()]) - others:
            usages += [os.wait4(orphan, 0)[2] for orphan in orphans]
        sampler.stop()
    return Cost(
        child.returncode,
        wall_s,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        sampler.tree_peak_bytes,
        sampler.largest_peak_bytes,
        sampler.own_peak_bytes,
        log.with_suffix(".out").read_text(encoding="utf-8", errors="replace"),
    )


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Lets processes whose parent has ended become children of this one, so that their times are counted too."""
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        library.prctl(_PR_SET_CHILD_SUBREAPER, 0)


class _Sampler(threading.Thread):
    """Looks at the memory of all descendants of this process until it is stopped."""

    def __init__(self, others: set[int], every_s: float) -> None:
        """Looks at nothing yet.

        Args:
            others: Children that do not belong to the command.
            every_s: Seconds between two samples.
        """
        super().__init__(daemon=True)
        self.tree_peak_bytes = self.largest_peak_bytes = self.own_peak_bytes = 0
        self._others = others
        self._every_s = every_s
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(self._every_s):
            memory = [_memory(process) for process in self._processes()]
            self.tree_peak_bytes = max(self.tree_peak_bytes, sum(each.shared_fairly for each in memory))
            self.largest_peak_bytes = max(self.largest_peak_bytes, *(each.peak for each in memory), 0)
            self.own_peak_bytes = max(self.own_peak_bytes, *(each.own for each in memory), 0)

    def stop(self) -> None:
        self._ended.set()
        self.join()

    def _processes(self) -> list[int]:
        children = _children()
        found = [child for child in children[os.getpid()] if child not in self._others]
        for process in found:
            found += children[process]
        return found


def _children() -> dict[int, list[int]]:
    """The children of each process at this moment."""
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children[parent].append(int(folder.name))
    return children


@dataclass(frozen=True)
class _Memory:
    """Of one process, in bytes."""

    shared_fairly: int = 0
    """Its part of all resident pages (PSS)."""
    own: int = 0
    """Anonymous pages."""
    peak: int = 0
    """The most that was ever resident since it was started; not the kernel's count for its parent, which begins before
    the program is loaded and so counts the parent's own."""


def _memory(process: int) -> _Memory:
    try:
        rollup = _kilobytes(Path(f"/proc/{process}/smaps_rollup"))
        status = _kilobytes(Path(f"/proc/{process}/status"))
    except OSError:  # it has ended
        return _Memory()
    return _Memory(rollup.get("Pss", 0), rollup.get("Anonymous", 0), status.get("VmHWM", 0))


def _kilobytes(file: Path) -> dict[str, int]:
    """The lines "name: number kB" of a file, in bytes."""
    found = (re.fullmatch(r"(\w+):\s+(\d+) kB", line) for line in file.read_text().splitlines())
    return {match[1]: 1024 * int(match[2]) for match in found if match}
