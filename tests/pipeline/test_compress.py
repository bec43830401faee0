"""The main path on one page: in which order things happen, and what a run folder has at the end."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.artifacts.unseen_layers import UnseenLayers
from edgevit.backends import Backend
from edgevit.cluster.execution import Where
from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.pipeline import compress as page
from edgevit.pipeline.backend_candidates import BackendCandidates
from edgevit.pipeline.candidate import COMPRESS_STEPS, EXPORT_STEPS
from edgevit.pipeline.inputs import Inputs
from edgevit.results.candidate import Candidate
from edgevit.results.run import CalibrationRecord, load_run
from edgevit.run.executor import Executor
from edgevit.run.progress import PlannedStages, RunPlan
from edgevit.run.stages import Stages
from edgevit.spec.spec import Spec
from tests.factories import KeptProgress, make_artifact, make_candidate, make_finetune
from tests.pipeline.contexts import make_context, make_inputs, noise

SPEC = Spec.model_validate({"model": {"name": "m"}, "export": {"backends": ["onnx", "tflite"]}})
PLAN = RunPlan(("a", "b"), (PlannedStages("export", 2, 3.0),), 2, 3.0)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """The steps that candidates of each run are asked to go through; nothing is loaded and no candidate made."""
    asked: list[Any] = []
    record = CalibrationRecord("noise:2", ("0", "1"), "ab", 0, warnings=("only 2 images",))
    data = RunData(noise(3, (0, 1, 2)), noise(2))

    def opened(inputs: Inputs, stages: Stages, steps: Any, deadline: Any) -> Any:
        asked.append(steps)
        stages.folder.work("original.pt2").write_bytes(b"program")
        return replace(make_context(inputs, tmp_path, np.eye(3, dtype=np.float32)), stages=stages)

    def made(context: Any, trained: Any, backend: Backend) -> BackendCandidates:
        fast = {"onnxruntime": 2.0, "litert": 1.0}[backend.name]
        artifact = replace(
            make_artifact(f"artifacts/{backend.name}.bin"), sha256=hashlib.sha256(b"weights").hexdigest()
        )
        candidate = make_candidate(f"{backend.name}/fp32/dense", p50_ms=fast, artifact=artifact)
        return BackendCandidates((candidate,), (), (f"note of {backend.name}", "the same note"), (make_finetune(),))

    monkeypatch.setattr(
        page, "open_inputs", lambda spec, progress, host=None: make_inputs(spec, data=data, calibration_record=record)
    )
    monkeypatch.setattr(page, "plan_run", lambda inputs, jobs, measures=True: replace(PLAN, jobs=jobs))
    monkeypatch.setattr(page, "open_context", opened)
    monkeypatch.setattr(page, "run_model_passes", lambda context: None)
    monkeypatch.setattr(page, "unseen_layers", lambda context, trained: UnseenLayers(("blocks.0.fc1",), 9))
    monkeypatch.setattr(page, "make_candidates", made)
    monkeypatch.setattr(page, "time_in_rounds", lambda context, candidates: candidates)
    monkeypatch.setattr(page, "time_original", lambda context: context.baseline)
    monkeypatch.setattr(Executor, "warm_up", lambda *_: None)
    return asked


def test_a_run_is_all_that_its_stages_found(steps: list[Any], tmp_path: Path) -> None:
    heard = KeptProgress()
    run = page.compress(SPEC, tmp_path / "out", where=Where(jobs=2), progress=heard)
    assert steps == [COMPRESS_STEPS]
    assert [candidate.id for candidate in run.candidates] == ["onnxruntime/fp32/dense", "litert/fp32/dense"]
    assert run.selected == "litert/fp32/dense"
    assert run.finetunes == (make_finetune(),)  # once, though both backends have it
    unseen = UnseenLayers(("blocks.0.fc1",), 9).note
    assert run.notes == ("only 2 images", unseen, "note of onnxruntime", "the same note", "note of litert")
    assert heard.messages == [f"run folder: {tmp_path / 'out'}; details in logs/run.log", "warning: only 2 images"]
    assert heard.plans == [PLAN]
    assert "warning: only 2 images" in (tmp_path / "out" / "logs" / "run.log").read_text()
    assert load_run(tmp_path / "out") == run
    assert (tmp_path / "out" / "report.md").is_file()
    assert 'source = "noise:2"' in (tmp_path / "out" / "calibration.toml").read_text()


def test_working_files_go_when_a_run_has_ended(steps: list[Any], tmp_path: Path) -> None:
    page.compress(SPEC, tmp_path / "out")
    assert not (tmp_path / "out" / "work").exists()
    page.compress(SPEC, tmp_path / "kept", keep_work=True)
    assert (tmp_path / "kept" / "work" / "original.pt2").read_bytes() == b"program"


def test_an_ended_run_is_checked_and_reported_again(steps: list[Any], tmp_path: Path) -> None:
    run = page.compress(SPEC, tmp_path / "out")
    for candidate in run.candidates:
        write_artifact(tmp_path / "out", candidate, b"weights")
    (tmp_path / "out" / "report.md").unlink()
    heard = KeptProgress()
    again = page.compress(SPEC, tmp_path / "out", resume=True, progress=heard)
    assert again.candidates == run.candidates
    assert steps == [COMPRESS_STEPS]
    assert heard.messages[-1] == "the run has ended; its artifacts are as they were"
    assert (tmp_path / "out" / "report.md").is_file()


def test_an_ended_run_whose_artifact_has_changed_is_made_again(steps: list[Any], tmp_path: Path) -> None:
    run = page.compress(SPEC, tmp_path / "out")
    write_artifact(tmp_path / "out", run.candidates[0], b"other weights")
    heard = KeptProgress()
    page.compress(SPEC, tmp_path / "out", resume=True, progress=heard)
    assert steps == [COMPRESS_STEPS] * 2
    assert "has changed since; what is missing is made again" in heard.messages[-1]


def write_artifact(folder: Path, candidate: Candidate, content: bytes) -> None:
    assert candidate.artifact is not None
    path = folder / candidate.artifact.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_an_export_only_makes_and_verifies(steps: list[Any], tmp_path: Path) -> None:
    page.export(SPEC, tmp_path / "out")
    assert steps == [EXPORT_STEPS]


def test_a_plan_writes_nothing(steps: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert page.plan(SPEC, jobs=3) == replace(PLAN, jobs=3)
    assert steps == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "open_inputs", lambda *_: pytest.fail("inputs were opened"))
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        page.compress(SPEC, tmp_path)


def test_an_interrupt_is_told_with_the_way_to_go_on(
    steps: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    heard = KeptProgress()
    before = page.run_model_passes
    monkeypatch.setattr(page, "run_model_passes", interrupt)
    with pytest.raises(KeyboardInterrupt):
        page.compress(SPEC, tmp_path / "my run", progress=heard)
    monkeypatch.setattr(page, "run_model_passes", before)
    assert heard.messages[-1].endswith(f"--resume --out '{tmp_path / 'my run'}'")
    assert page.compress(SPEC, tmp_path / "my run", resume=True).selected == "litert/fp32/dense"


def test_results_may_not_lie_among_the_images(steps: list[Any], tmp_path: Path) -> None:
    spec = Spec.model_validate({"model": {"name": "m"}, "data": {"evaluation": str(tmp_path)}})
    with pytest.raises(UsageError, match="lies among the images"):
        page.compress(spec, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
