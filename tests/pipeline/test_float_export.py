"""Float artifacts of a variant: made once, and early where the model is as brought."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.artifacts.make import ExportJob, MadeArtifact
from edgevit.backends import get_backend
from edgevit.errors import CandidateFailed
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.float_export import export_early, export_variant
from edgevit.results.artifact import TensorSpec
from edgevit.run import executor
from edgevit.run.task import Task
from edgevit.spec.spec import Spec
from tests.pipeline.contexts import make_context, make_inputs


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    spec = Spec.model_validate({"model": {"name": "m"}, "export": {"backends": ["onnx", "openvino"]}})
    return make_context(make_inputs(spec), tmp_path, np.eye(3, dtype=np.float32))


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Backends that were asked to export; OpenVINO cannot."""
    asked: list[str] = []

    def answer(task: Task[ExportJob, MadeArtifact], **_: Any) -> MadeArtifact:
        asked.append(task.argument.backend)
        if task.argument.backend == "openvino":
            raise CandidateFailed("no such op")
        main = task.argument.folder / "model.onnx"
        main.parent.mkdir(parents=True)
        main.write_bytes(b"weights")
        tensor = TensorSpec("x", (1,), "float32", "")
        return MadeArtifact(main, (main,), (tensor,), (tensor,), 1, 1, 0.0, "float", 0, 0)

    monkeypatch.setattr(executor, "run_in_child", answer)
    return asked


def test_what_was_exported_early_is_the_candidates(context: RunContext, exported: list[str], tmp_path: Path) -> None:
    stages = context.stages
    with stages.folder:
        export_early(stages, context.inputs, "dense", tmp_path / "p.pt2")
        assert sorted(exported) == ["onnxruntime", "openvino"]
        made = export_variant(stages, get_backend("onnx"), "dense", tmp_path / "p.pt2")
    assert made.main == stages.folder.path / "artifacts" / "onnxruntime" / "fp32" / "dense" / "model.onnx"
    assert len(exported) == 2


def test_what_failed_early_is_tried_and_told_by_its_candidate(
    context: RunContext, exported: list[str], tmp_path: Path
) -> None:
    with context.stages.folder:
        export_early(context.stages, context.inputs, "dense", tmp_path / "p.pt2")
        with pytest.raises(CandidateFailed, match="no such op"):
            export_variant(context.stages, get_backend("openvino"), "dense", tmp_path / "p.pt2")
