"""Times a call without the time in which this process was ready to run and had no core, since others used them.

Where other processes keep all cores busy, the scheduler takes the core away every few milliseconds: a run of 4 ms takes 8 ms
or 12 ms, and what it would take on its own is not to be seen in the wall time of any run. Linux counts how long each thread
waits for a core (``run_delay`` in ``/proc/self/task/*/schedstat``).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def timer_without_waits(threads: int) -> Iterator[Callable[[Callable[[], object]], float]]:
    """Gives a function that times a call in ms, without the waits of the threads that this process has now.

    Args:
        threads: That compute. Where there are several, or the system does not tell their waits, it is the wall time: of
            threads that wait side by side only some hold up the others.
    """
    with ExitStack() as stack:
        streams = [
            stack.enter_context(path.open("rb", buffering=0))
            for path in sorted(_TASKS.glob("*/schedstat") if threads == 1 else ())
        ]

        def timed(call: Callable[[], object]) -> float:
            waits_ns = _waits_ns(streams)
            cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
            call()
            wall_ns, cpu_ns = time.perf_counter_ns() - wall_ns, time.process_time_ns() - cpu_ns
            return own_ns(wall_ns, cpu_ns, _waits_ns(streams) - waits_ns) / 1e6

        yield timed


def own_ns(wall_ns: int, cpu_ns: int, waits_ns: int) -> int:
    """Returns how long a call took without its waits for a core.

    A wait between the end of the call and the reading of the waits would count too; but the call took at least the CPU time
    that it used, as far as that is not of threads side by side.

    Args:
        wall_ns: From its beginning to its end.
        cpu_ns: CPU time of all threads.
        waits_ns: Of all threads, at least those during the call.
    """
    return max(wall_ns - waits_ns, min(cpu_ns, wall_ns))


def _waits_ns(streams: Sequence[FileIO]) -> int:
    """Nanoseconds that threads have waited for a core: the second number of each file."""
    return sum(int(os.pread(stream.fileno(), 80, 0).split()[1]) for stream in streams)
