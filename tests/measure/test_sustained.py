"""How the latency of a long run changes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from edgevit.measure.sustained import SustainedJob, SustainedLatency, Window, run_sustained

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"


def long_run(*p50_ms: float, clocks: tuple[float | None, ...] = (), disturbed: int = 0) -> SustainedLatency:
    windows = [
        Window(1.0, 100, value, clocks[place] if clocks else None, "steal time 9 %" if place < disturbed else "")
        for place, value in enumerate(p50_ms)
    ]
    return SustainedLatency(tuple(windows), 1, 1)


def test_the_last_tenth_is_compared_with_the_first() -> None:
    found = long_run(*[10.0] * 2, *[11.0] * 16, *[12.0] * 2)
    assert (found.first_ms, found.last_ms) == (10.0, 12.0)
    assert found.drift == pytest.approx(0.2)
    assert found.clock_drift is None


def test_a_run_of_one_second_has_no_drift() -> None:
    assert long_run(10.0).drift == 0.0


@pytest.mark.parametrize(
    ("last_ms", "last_clock", "throttled"),
    [(13.0, 1800.0, True), (13.0, 2400.0, False), (10.1, 1800.0, False)],
)
def test_it_is_throttled_if_it_gets_slower_while_the_clock_falls(
    last_ms: float, last_clock: float, throttled: bool
) -> None:
    found = long_run(10.0, 10.0, last_ms, clocks=(2400.0, 2400.0, last_clock))
    assert found.clock_drift == pytest.approx(last_clock / 2400 - 1)
    assert found.throttled is throttled


def test_without_a_clock_nothing_is_called_throttled() -> None:
    assert not long_run(10.0, 20.0).throttled


def test_images_per_second_over_time() -> None:
    windows = tuple(Window(0.5 if place < 15 else 1.0, 100, 10.0, None) for place in range(30))
    found = SustainedLatency(windows, 1, 4)
    assert found.images_per_second == (800.0,) * 15 + (400.0,) * 15
    stretches = found.stretches
    assert len(stretches) == 10
    assert [stretches[place].images_per_second for place in (0, -1)] == [800.0, 400.0]
    assert (stretches[0].begin_s, stretches[0].end_s, stretches[-1].end_s) == (0.0, 1.5, 22.5)
    assert all(before.end_s == after.begin_s for before, after in pairwise(stretches))
    assert len(long_run(10.0, 11.0).stretches) == 2


def test_few_disturbed_seconds_leave_it_stable() -> None:
    assert long_run(*[10.0] * 20, disturbed=2).unstable == ""
    assert long_run(*[10.0] * 20, disturbed=3).unstable == "steal time 9 %; disturbed in 3 of 20 seconds"


def test_a_file_runs_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr("edgevit.measure.sustained.WINDOW_SECONDS", 0.02)
    found = run_sustained(SustainedJob("onnxruntime", PROBES / "probe.onnx", "fastest", 1, 0.1))
    assert sum(window.seconds for window in found.windows) >= 0.1 - 0.02
    assert len(found.windows) >= 2
    assert all(window.runs > 0 for window in found.windows)
    assert found.machine is not None
    assert found.machine.during.looks >= 2
