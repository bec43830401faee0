"""Float artifacts of a variant: made once, and early where the model is as brought."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.artifacts.evaluate import InferenceJob, LogitsFile
from edgevit.artifacts.make import MadeArtifact
from edgevit.backends import get_backend
from edgevit.data.prepared import prepare_images
from edgevit.errors import CandidateFailed
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.float_export import FloatExport, export_early
from edgevit.pipeline.images import evaluation_images
from edgevit.results.artifact import TensorSpec
from edgevit.run import executor
from edgevit.run.task import Task
from edgevit.spec.spec import Spec
from tests.pipeline.contexts import CONTRACT, make_context, make_inputs, run_here


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    spec = Spec.model_validate({"model": {"name": "m"}, "export": {"backends": ["onnx", "openvino"]}})
    return make_context(make_inputs(spec), tmp_path, np.eye(3, dtype=np.float32))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What children were asked for; OpenVINO cannot export."""
    asked: list[str] = []

    def answer(task: Task[Any, Any], **_: Any) -> Any:
        if task.function is prepare_images:
            return run_here(task)
        asked.append(f"{task.function.__name__} {task.argument.backend}")
        if task.argument.backend == "openvino":
            raise CandidateFailed("no such op")
        if isinstance(task.argument, InferenceJob):
            np.save(task.argument.logits, np.eye(3, dtype=np.float32))
            return LogitsFile(task.argument.logits, 3)
        main = task.argument.folder / "model.onnx"
        main.parent.mkdir(parents=True)
        main.write_bytes(b"weights")
        tensor = TensorSpec("x", (1,), "float32", "")
        return MadeArtifact(main, (main,), (tensor,), (tensor,), 1, 1, 0.0, "float", 0, 0)

    monkeypatch.setattr(executor, "run_in_child", answer)
    return asked


def float_export(context: RunContext, folder: Path) -> FloatExport:
    images = evaluation_images(context.stages, context.inputs, CONTRACT)
    return FloatExport("dense", folder / "p.pt2", images, 1, context.inputs.contract(CONTRACT, "fp32"))


def test_what_was_made_early_is_the_candidates(context: RunContext, asked: list[str], tmp_path: Path) -> None:
    stages, onnx = context.stages, get_backend("onnx")
    with stages.folder:
        export = float_export(context, tmp_path)
        export_early(stages, export, context.inputs.backends)
        assert sorted(asked) == ["export_float onnxruntime", "export_float openvino"]
        made = export.export(stages, onnx)
        assert export.run(stages, onnx, made.main) == context.logits_path("onnxruntime/fp32/dense")
    assert made.main == stages.folder.path / "artifacts" / "onnxruntime" / "fp32" / "dense" / "model.onnx"
    assert len(asked) == 3


def test_what_failed_early_is_tried_and_told_by_its_candidate(
    context: RunContext, asked: list[str], tmp_path: Path
) -> None:
    with context.stages.folder:
        export = float_export(context, tmp_path)
        export_early(context.stages, export, context.inputs.backends)
        with pytest.raises(CandidateFailed, match="no such op"):
            export.export(context.stages, get_backend("openvino"))


def test_preprocessing_is_embedded_in_a_copy_of_what_quantizers_start_from(
    context: RunContext, asked: list[str], tmp_path: Path
) -> None:
    stages, onnx = context.stages, get_backend("onnx")
    with stages.folder:
        plain_export = float_export(context, tmp_path)
        export = replace(plain_export, contract=replace(plain_export.contract, embeds_preprocessing=True))
        made, plain = export.export(stages, onnx), export.export_plain(stages, onnx)
    assert asked == ["export_float onnxruntime", "embed_preprocessing onnxruntime"]
    assert made.main == stages.folder.path / "artifacts" / "onnxruntime" / "fp32" / "dense" / "model.onnx"
    assert plain.main == stages.folder.work("plain/onnxruntime/fp32/dense/model.onnx")
