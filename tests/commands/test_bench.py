"""Measuring one file: what the child process is asked, and with which limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevit.commands.bench import measure_file
from edgevit.errors import UsageError
from edgevit.measure.bench import BenchJob
from edgevit.measure.machine import this_machine
from edgevit.results.measurement import Measurement
from edgevit.run import stages
from edgevit.run.progress import Silent
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec
from tests.factories import make_measurement


def test_the_child_is_asked_for_what_the_user_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[BenchJob, float]] = []

    def answer(task: Task[Any, Measurement], *, timeout_seconds: float, **_: object) -> Measurement:
        asked.append((task.argument, timeout_seconds))
        return make_measurement(3.0)

    monkeypatch.setattr(stages, "run_in_child", answer)
    (tmp_path / "m.onnx").write_bytes(b"")
    settings = MeasureSpec(threads=4, min_runs=60, min_seconds=5.0, timeout_seconds=100.0)
    found = measure_file(this_machine(2), tmp_path / "m.onnx", "f32", settings, None, Silent())
    assert found == make_measurement(3.0)
    assert asked == [(BenchJob("onnxruntime", (tmp_path / "m.onnx").resolve(), 4, "f32", 60, 5.0), 105.0)]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        measure_file(this_machine(1), tmp_path / "m.onnx", "f32", MeasureSpec(), None, Silent())
