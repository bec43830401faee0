"""Whether a machine is quiet: what disturbs is named."""

from __future__ import annotations

import pytest

from edgevit.devices.calibration import quiet
from edgevit.devices.calibration.quiet import Quiet, QuietJob, look_whether_quiet
from edgevit.measure.conditions import Disturbance


def test_what_disturbs_is_named_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "wait_until_quiet", lambda threads, seconds: 0.0)
    monkeypatch.setattr(quiet, "disturbances", lambda *_: ())
    assert look_whether_quiet(QuietJob(1, 0.0)) == Quiet("")
    found = (Disturbance("other processes", 1.3), Disturbance("steal time", 0.12))
    monkeypatch.setattr(quiet, "disturbances", lambda *_: found)
    assert look_whether_quiet(QuietJob(1, 0.0)) == Quiet("other processes used 1.3 cores; steal time 12 %")
