"""What is stored in the run of a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.commands.record import check_recordable, record_measurement
from edgevit.errors import UsageError
from edgevit.results.measurement import HOST
from edgevit.results.run import load_run, run_to_json
from edgevit.run.files import file_sha256
from tests.factories import make_candidate, make_measurement, make_run

ID = "onnxruntime/fp32/dense"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """The file of a run."""
    path = tmp_path / "run" / "artifacts" / "float.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"float")
    made = make_candidate(ID)
    assert made.artifact is not None
    stored = f"artifacts/{path.name}"
    file = replace(made.artifact, path=stored, files=(stored,), sha256=file_sha256(path))
    (tmp_path / "run/run.json").write_bytes(run_to_json(make_run(replace(made, artifact=file))))
    (tmp_path / "run/begin.json").write_text("{}", encoding="utf-8")
    return path


def test_one_measurement_a_device(artifact: Path) -> None:
    folder = artifact.parents[1]
    before = json.loads((folder / "run.json").read_bytes())
    for ms in (30.0, 20.0):
        assert record_measurement(artifact, replace(make_measurement(ms), device="adb:R58")) == folder / "run.json"
    found = load_run(folder).candidate(ID).measurements
    assert [each.device for each in found] == [HOST, "adb:R58"]
    assert found[1].latency_ms.p50 == 20.0
    after = json.loads((folder / "run.json").read_bytes())
    del after["candidates"][0]["measurements"][1]
    assert after == before


def test_the_runs_own_machine_keeps_its_name(artifact: Path) -> None:
    with pytest.raises(UsageError, match="another|made on"):
        record_measurement(artifact, make_measurement(20.0))


def test_a_file_that_was_changed_or_is_of_no_run_cannot_be_recorded(artifact: Path, tmp_path: Path) -> None:
    check_recordable(artifact)
    artifact.write_bytes(b"other")
    (tmp_path / "alone.onnx").write_bytes(b"")
    for path in (artifact, tmp_path / "alone.onnx"):
        with pytest.raises(UsageError, match="--record"):
            check_recordable(path)
