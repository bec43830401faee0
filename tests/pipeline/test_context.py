"""What a run knows of logits: accuracy, agreement with the model as brought, and the drop that counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.artifacts.metrics.metric import Metric, Predictions, Score
from edgevit.data.sampling import RunData
from edgevit.pipeline.choose import counted_drop
from edgevit.pipeline.context import RunContext
from edgevit.results.candidate import Accuracy
from edgevit.spec.spec import Spec
from tests.pipeline.contexts import make_context, make_inputs, noise

LOGITS = np.eye(4, dtype=np.float32)
OTHER = LOGITS[[0, 1, 2, 2]]
"""Three of four classes as before."""


def context(folder: Path, labels: tuple[int, ...] | None, real: bool = True) -> RunContext:
    spec = Spec.model_validate({"model": {"name": "m"}, "budget": {"max_drop": 3.0}})
    data = RunData(noise(4, labels) if real else None, None)
    return make_context(make_inputs(spec, data=data), folder, LOGITS)


def test_labels_and_agreement_are_two_things(tmp_path: Path) -> None:
    found = context(tmp_path, (0, 1, 2, 2)).evaluate(OTHER)
    assert (found.top1, found.drop_points, found.agreement) == (1.0, -25.0, 0.75)


def test_without_labels_there_is_agreement_alone(tmp_path: Path) -> None:
    assert context(tmp_path, None).evaluate(OTHER) == Accuracy(None, None, 4, None, 0.75)


def test_of_made_up_images_nothing_is_said(tmp_path: Path) -> None:
    made_up = context(tmp_path, None, real=False)
    assert made_up.evaluate(OTHER) == Accuracy(None, None, 4, None)


def test_the_drop_is_read_from_the_logits_that_a_candidate_left(tmp_path: Path) -> None:
    run = context(tmp_path, None)
    with run.stages.folder:
        assert run.drop_points("onnxruntime/fp32/dense") is None
        path = run.logits_path("onnxruntime/fp32/dense")
        assert path.name == "onnxruntime--fp32--dense.logits.npy"
        np.save(path, OTHER)
        assert run.drop_points("onnxruntime/fp32/dense") == 25.0


def test_each_images_answer_is_kept_in_the_run_folder(tmp_path: Path) -> None:
    run = context(tmp_path, (0, 1, 2, 2))
    with run.stages.folder:
        np.save(run.logits_path("onnxruntime/fp32/dense"), 20 * OTHER)
        name = run.keep_top1("onnxruntime/fp32/dense")
        assert name == "top1/onnxruntime/fp32/dense.csv"
        lines = (run.stages.folder.path / name).read_text().splitlines()
    assert lines[0] == "id,label,top1,probability"
    assert [line.split(",")[1:3] for line in lines[1:]] == [["0", "0"], ["1", "1"], ["2", "2"], ["2", "2"]]


def test_of_made_up_images_no_answers_are_kept(tmp_path: Path) -> None:
    assert context(tmp_path, None, real=False).keep_top1("onnxruntime/fp32/dense") is None


def test_limits_are_those_of_the_spec(tmp_path: Path) -> None:
    assert context(tmp_path, None).limits.max_drop == 3.0


def test_the_metric_of_the_spec_judges(tmp_path: Path) -> None:
    def hits(predictions: Predictions) -> Score:
        assert predictions.labels is not None
        return Score(float((predictions.outputs["logits"].argmax(axis=1) == predictions.labels).sum()))

    spec = Spec.model_validate({"model": {"name": "m"}, "budget": {"max_drop": 3.0}})
    metric = Metric("my:hits", "", needs_labels=True, compute=hits)
    inputs = make_inputs(spec, data=RunData(noise(4, (0, 1, 2, 3)), None), metric=metric)
    run = make_context(inputs, tmp_path, LOGITS)
    found = run.evaluate(OTHER)
    assert found.metric is not None
    assert (found.metric.name, found.metric.value, found.metric.drop, found.metric.interval) == (
        "my:hits",
        3.0,
        1.0,
        None,
    )
    assert (found.top1, counted_drop(found)) == (0.75, 1.0)
    part = run.evaluate(OTHER[[1, 3]], (1, 3)).metric
    assert part is not None
    assert (part.value, part.drop) == (1.0, 1.0)
    assert part.drop_interval is not None  # a part of the images has to tell how sure it is
