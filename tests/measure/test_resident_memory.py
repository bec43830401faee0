"""Resident memory of this process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgevit.measure import resident_memory as memory

MEGABYTE = 1_000_000

PROGRAM = """
from edgevit.measure.resident_memory import peak_resident_bytes, reset_peak, resident_bytes
early = bytearray(b"x") * 200_000_000
del early
before_reset = peak_resident_bytes()
works = reset_peak()
start = resident_bytes()
low = peak_resident_bytes()
block = bytearray(b"x") * 100_000_000
held, high = resident_bytes(), peak_resident_bytes()
del block
print(int(works), before_reset, start, low, held, high, resident_bytes(), peak_resident_bytes())
"""


def test_a_hundred_megabytes_move_the_peak_by_a_hundred_megabytes() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    works, before_reset, start, low, held, high, end, last = map(int, done.stdout.split())
    assert held - start == pytest.approx(100 * MEGABYTE, abs=5 * MEGABYTE)
    assert end == pytest.approx(start, abs=5 * MEGABYTE)
    if not works:
        pytest.skip("this system does not let the peak start again")
    assert before_reset - start > 180 * MEGABYTE
    assert low == pytest.approx(start, abs=5 * MEGABYTE)
    assert high - low == pytest.approx(100 * MEGABYTE, abs=5 * MEGABYTE)
    assert last == pytest.approx(high, abs=MEGABYTE)  # the kernel counts pages per thread and adds them up in batches


def test_the_peak_is_never_below_the_present() -> None:
    now = memory.resident_bytes()
    assert 0 < now <= memory.peak_resident_bytes() + MEGABYTE


def test_without_proc_the_kernel_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    expected = memory.peak_resident_bytes()
    from pathlib import Path

    nowhere = Path(str(tmp_path)) / "nowhere" / "status"
    monkeypatch.setattr(memory, "_STATUS", nowhere)
    monkeypatch.setattr(memory, "_CLEAR", nowhere)
    assert memory.reset_peak() is False
    assert memory.peak_resident_bytes() >= expected * 0.5
    assert memory.resident_bytes() == pytest.approx(memory.peak_resident_bytes(), rel=0.05)
