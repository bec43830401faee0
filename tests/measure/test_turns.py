"""An artifact timed in turns by this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure.turns import TurnsJob, time_turns

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"
JOB = TurnsJob("onnxruntime", PROBES / "probe.onnx", "fastest", 1, None, turns=3, runs=4, seconds=0.0, seed=1)


def test_each_turn_has_as_many_runs_as_asked() -> None:
    pytest.importorskip("onnxruntime")
    found = time_turns(JOB)
    assert [len(turn) for turn in found.samples_ms] == [4, 4, 4]
    assert min(min(turn) for turn in found.samples_ms) > 0
    assert len(found.activities) == 3
    assert all(
        activity.seconds * 1000 >= sum(turn) for activity, turn in zip(found.activities, found.samples_ms, strict=True)
    )
    assert found.precision == "f32"
    assert found.inputs and found.outputs


def test_a_turn_lasts_as_long_as_asked() -> None:
    pytest.importorskip("onnxruntime")
    found = time_turns(replace(JOB, turns=1, runs=1, seconds=0.02))
    assert found.activities[0].seconds >= 0.02


def test_a_file_that_cannot_be_loaded_is_a_usage_error(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / "none.onnx"
    file.write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"none\.onnx"):
        time_turns(replace(JOB, artifact=file))
