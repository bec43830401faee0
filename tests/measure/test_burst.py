"""One burst on this machine, and how long it waits for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.measure import burst as module
from edgevit.measure.burst import LOOK_SECONDS, BurstJob, time_burst, wait_until_quiet
from edgevit.measure.conditions import Activity

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"
QUIET = Activity(0.05, 0.0, 0.0, 0.0, 0, None)
BUSY = Activity(0.05, 0.0, 1.9, 0.0, 0, None)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Activity]:
    """What the looks at the machine find, one after the other; the last one again and again."""
    found = [QUIET]
    monkeypatch.setattr(module, "activity_since", lambda begin: found.pop(0) if len(found) > 1 else found[0])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    return found


def test_a_quiet_machine_is_not_waited_for(looks: list[Activity]) -> None:
    assert wait_until_quiet(1, 10.0) == 0.0
    assert looks == [QUIET]


def test_it_waits_until_others_pause(looks: list[Activity]) -> None:
    looks[:] = [BUSY, BUSY, BUSY, QUIET]
    assert wait_until_quiet(1, 10.0) == pytest.approx(3 * LOOK_SECONDS)


def test_it_does_not_wait_for_ever(looks: list[Activity]) -> None:
    looks[:] = [BUSY]
    assert wait_until_quiet(1, 1.0) == pytest.approx(1.0, abs=LOOK_SECONDS)
    assert wait_until_quiet(1, 0.0) == 0.0


def test_a_file_is_timed_as_often_and_as_long_as_asked() -> None:
    pytest.importorskip("onnxruntime")
    job = BurstJob("onnxruntime", PROBES / "probe.onnx", "fastest", 1, 0.0, 25, 0.0)
    found = time_burst(job)
    assert len(found.samples_ms) == 25
    assert min(found.samples_ms) > 0
    assert min(found.samples_ms) <= found.p50_ms <= max(found.samples_ms)
    assert found.activity.seconds * 1000 >= sum(found.samples_ms)
    assert (found.batch, found.waited_seconds) == (1, 0.0)
    assert found.span is not None
    assert found.span.during.looks == 2
    assert found.cpu
