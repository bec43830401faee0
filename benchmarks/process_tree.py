"""What a command costs with all processes that it starts: wall time, processor time and peak memory (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_EVERY_S = 0.2
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
    """Largest resident memory that a single one of them ever had, as the kernel counted it."""
    own_peak_bytes: int
    """Largest sampled anonymous memory of a single one: what is its own, mapped files apart."""
    output: str
    """What it wrote to stdout."""


def run_measured(command: Sequence[str], log: Path) -> Cost:
    """Runs a command to its end and adds up what it and all processes that it started cost.

    Args:
        command: Program and arguments.
        log: Gets what it writes to stderr.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    others = set(_children()[os.getpid()])
    with _adopting(), log.open("ab") as errors, log.with_suffix(".out").open("wb") as output:
        begin = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
        sampler = _Sampler(others)
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
        1024 * max(usage.ru_maxrss for usage in usages),
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

    def __init__(self, others: set[int]) -> None:
        """Looks at nothing yet.

        Args:
            others: Children that do not belong to the command.
        """
        super().__init__(daemon=True)
        self.tree_peak_bytes = self.own_peak_bytes = 0
        self._others = others
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_SAMPLE_EVERY_S):
            memory = [_memory(process) for process in self._processes()]
            self.tree_peak_bytes = max(self.tree_peak_bytes, sum(pss for pss, _ in memory))
            self.own_peak_bytes = max(self.own_peak_bytes, *(own for _, own in memory), 0)

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


def _memory(process: int) -> tuple[int, int]:
    """Memory in bytes: its part of all resident pages (PSS), and what is anonymous."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0, 0
    values = {name: 1024 * int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return values.get("Pss", 0), values.get("Anonymous", 0)
