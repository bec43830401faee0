"""The main path on one page: in which order things happen, and what a run folder has at the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.backends import Backend
from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.pipeline import compress as page
from edgevit.pipeline.backend_candidates import BackendCandidates
from edgevit.pipeline.candidate import COMPRESS_STEPS, EXPORT_STEPS
from edgevit.pipeline.inputs import Inputs
from edgevit.results.run import CalibrationRecord, load_run
from edgevit.run.stages import Stages
from edgevit.spec.spec import Spec
from tests.factories import KeptProgress, make_candidate
from tests.pipeline.contexts import make_context, make_inputs, noise

SPEC = Spec.model_validate({"model": {"name": "m"}, "export": {"backends": ["onnx", "tflite"]}})


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The steps that candidates of each run are asked to go through; nothing is loaded and no candidate made."""
    asked: list[Any] = []
    record = CalibrationRecord("noise:2", ("0", "1"), "ab", 0, warnings=("only 2 images",))
    data = RunData(noise(3, (0, 1, 2)), noise(2))

    def opened(inputs: Inputs, stages: Stages, steps: Any) -> Any:
        asked.append(steps)
        return replace(make_context(inputs, tmp_path, np.eye(3, dtype=np.float32)), stages=stages)

    def made(context: Any, trained: Any, backend: Backend) -> BackendCandidates:
        fast = {"onnxruntime": 2.0, "litert": 1.0}[backend.name]
        candidate = make_candidate(f"{backend.name}/fp32/dense", p50_ms=fast)
        return BackendCandidates((candidate,), (), (f"note of {backend.name}", "the same note"))

    monkeypatch.setattr(
        page, "open_inputs", lambda spec, progress: make_inputs(spec, data=data, calibration_record=record)
    )
    monkeypatch.setattr(page, "open_context", opened)
    monkeypatch.setattr(page, "run_model_passes", lambda context: None)
    monkeypatch.setattr(page, "make_candidates", made)
    return asked


def test_a_run_is_all_that_its_stages_found(steps: list[Any], tmp_path: Path) -> None:
    heard = KeptProgress()
    run = page.compress(SPEC, tmp_path / "out", progress=heard)
    assert steps == [COMPRESS_STEPS]
    assert [candidate.id for candidate in run.candidates] == ["onnxruntime/fp32/dense", "litert/fp32/dense"]
    assert run.selected == "litert/fp32/dense"
    assert run.notes == ("only 2 images", "note of onnxruntime", "the same note", "note of litert")
    assert heard.messages == [f"run folder: {tmp_path / 'out'}", "warning: only 2 images"]
    assert load_run(tmp_path / "out") == run
    assert (tmp_path / "out" / "report.md").is_file()
    assert 'source = "noise:2"' in (tmp_path / "out" / "calibration.toml").read_text()


def test_an_export_only_makes_and_verifies(steps: list[Any], tmp_path: Path) -> None:
    page.export(SPEC, tmp_path / "out")
    assert steps == [EXPORT_STEPS]


def test_a_folder_of_something_else_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "open_inputs", lambda *_: pytest.fail("inputs were opened"))
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        page.compress(SPEC, tmp_path)
