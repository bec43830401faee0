"""Times without the waits for a core."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgevit.measure import core_wait
from edgevit.measure.core_wait import own_ns, timer_without_waits


@pytest.mark.parametrize(
    ("wall_ns", "cpu_ns", "waits_ns", "own"),
    [
        (10, 10, 0, 10),  # undisturbed
        (30, 10, 20, 10),  # it waited for a core
        (30, 10, 25, 10),  # and again while the waits were read
        (30, 10, 0, 30),  # it waited for something else, such as an accelerator
        (10, 18, 0, 10),  # threads side by side
        (30, 40, 25, 30),
    ],
)
def test_waits_for_a_core_do_not_count(wall_ns: int, cpu_ns: int, waits_ns: int, own: int) -> None:
    assert own_ns(wall_ns, cpu_ns, waits_ns) == own


def test_the_waits_of_this_process_are_read() -> None:
    with timer_without_waits(1) as timed:
        slept_ms = timed(lambda: time.sleep(0.02))
    assert slept_ms >= 20


@pytest.mark.parametrize("threads", [1, 2])
def test_without_the_numbers_it_is_the_wall_time(threads: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(core_wait, "_TASKS", tmp_path / "nowhere")
    moments = iter([1_000_000, 9_000_000])
    monkeypatch.setattr(core_wait.time, "perf_counter_ns", lambda: next(moments))
    with timer_without_waits(threads) as timed:
        assert timed(lambda: None) == 8.0


BUSY = """
import os, sys, time
from edgevit.measure.core_wait import timer_without_waits
os.sched_setaffinity(0, {0})
pid = os.fork()
if not pid:
    while True:
        pass
def work():
    begin = time.process_time()
    while time.process_time() - begin < 0.1:
        pass
with timer_without_waits(1) as timed:
    begin = time.perf_counter()
    own_ms = timed(work)
    wall_ms = 1000 * (time.perf_counter() - begin)
os.kill(pid, 9)
print(own_ms, wall_ms)
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "sched_setaffinity"), reason="needs Linux")
def test_beside_a_busy_process_on_the_same_core_a_call_takes_its_own_time() -> None:
    """Work of 0.1 s of CPU time shares a core with another process: its wall time is about twice as long."""
    if not Path("/proc/self/schedstat").exists():
        pytest.skip("this system does not count waits for a core")
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, check=True)
    own_ms, wall_ms = map(float, done.stdout.split())
    assert 100 <= own_ms < wall_ms
