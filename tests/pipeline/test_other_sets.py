"""Further evaluation sets: scored beside the first, against the original model on the same images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.artifacts.evaluate import InferenceJob, LogitsFile
from edgevit.artifacts.metrics.multilabel import MULTILABEL
from edgevit.artifacts.pytorch_reference import ReferenceJob
from edgevit.backends import get_backend
from edgevit.data.sampling import RunData
from edgevit.pipeline.context import CandidateDraft, RunContext, Variant
from edgevit.pipeline.other_sets import evaluate_on_other_sets, original_on_other_sets
from edgevit.run import executor
from edgevit.run.task import Task
from tests.factories import make_candidate
from tests.pipeline.contexts import CONTRACT, digits_spec, make_context, make_inputs, noise, run_here

LOGITS = np.eye(4, dtype=np.float32)
LABELS = (0, 1, 2, 2)
"""The original model recognizes three of four images, the candidate all."""


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that answer at once."""

    def run(task: Task[Any, Any], **_: Any) -> Any:
        job = task.argument
        if not isinstance(job, InferenceJob | ReferenceJob):
            return run_here(task)
        np.save(job.logits, LOGITS[list(LABELS)] if isinstance(job, InferenceJob) else LOGITS)
        return LogitsFile(job.logits, len(LOGITS))

    monkeypatch.setattr(executor, "run_in_child", run)


def _context(folder: Path, **changes: Any) -> RunContext:
    data = RunData(noise(4, (0, 1, 2, 3)), None, (replace(noise(4, LABELS), source="noise:4"),))
    (folder / "run").mkdir()
    (folder / "original.pt2").write_bytes(b"")
    return make_context(make_inputs(digits_spec(), data=data, **changes), folder, LOGITS)


def _draft(context: RunContext, folder: Path) -> CandidateDraft:
    candidate = make_candidate("onnxruntime/fp32/dense")
    assert candidate.artifact is not None
    file = context.stages.folder.path / candidate.artifact.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"")
    variant = Variant("dense", folder / "original.pt2", CONTRACT, (), folder / "original.npy")
    return CandidateDraft(get_backend("onnxruntime"), variant, None, candidate)


def test_a_candidate_is_scored_on_each_further_set(tmp_path: Path) -> None:
    context = _context(tmp_path)
    with context.stages.folder:
        (found,) = evaluate_on_other_sets(context, _draft(context, tmp_path)).other_sets
        (original,) = original_on_other_sets(context)
    assert (found.source, original.source) == ("noise:4", "noise:4")
    assert (found.accuracy.top1, found.accuracy.drop_points, found.accuracy.agreement) == (1.0, -25.0, 0.75)
    assert (original.accuracy.top1, original.accuracy.drop_points) == (0.75, None)


def test_the_metric_of_the_spec_is_taken_of_each_set(tmp_path: Path) -> None:
    context = _context(
        tmp_path, metric=replace(MULTILABEL, compute=lambda each: MULTILABEL.compute(replace(each, labels=None)))
    )
    with context.stages.folder:
        (found,) = evaluate_on_other_sets(context, _draft(context, tmp_path)).other_sets
        (original,) = original_on_other_sets(context)
    assert found.accuracy.metric is not None
    assert original.accuracy.metric is not None
    assert (found.accuracy.metric.name, found.accuracy.metric.value) == ("multilabel", 0.875)
    assert original.accuracy.metric.value == 1.0


def test_without_further_sets_nothing_is_done(tmp_path: Path) -> None:
    context = make_context(make_inputs(digits_spec(), data=RunData(noise(4, LABELS), None)), tmp_path, LOGITS)
    with context.stages.folder:
        assert evaluate_on_other_sets(context, _draft(context, tmp_path)).other_sets == ()
        assert original_on_other_sets(context) == ()
        assert context.stages.folder.stages == []
