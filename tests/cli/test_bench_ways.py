"""What a way of ``edgevit bench`` finds: the document, why it is unstable, and what a run may record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.bench_ways import Question, one_file
from edgevit.commands import bench as command
from edgevit.measure.machine import this_machine
from edgevit.run.progress import Silent
from edgevit.spec.spec import MeasureSpec
from tests.factories import make_measurement

MODEL = Path("model.onnx")


def test_one_file_gives_a_measurement_to_record_and_says_why_it_is_unstable(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = make_measurement(9.0)
    measured = replace(measured, conditions=replace(measured.conditions, unstable="steal time 12 %"))
    monkeypatch.setattr(command, "measure_file", lambda *_: measured)
    monkeypatch.setattr(command, "machine_document", lambda *_: {"host": "a host"})
    found: dict[bool, Any] = {
        as_json: one_file(this_machine(1), Question((MODEL,), "fastest", MeasureSpec(), None, as_json), Silent())
        for as_json in (False, True)
    }
    assert found[True].measurement == measured
    assert found[True].unstable == "steal time 12 %"
    assert set(found[True].document) == {"artifact", "measurement", "host"}
    assert set(found[False].document) == {"artifact", "measurement"}, "digests are for the document alone"
