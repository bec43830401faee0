"""A metric of the user's own judges a run: what top-1 admits it rejects, and its source is pinned."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.report.details import details
from edgevit.results.run import load_run

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

import edgevit  # noqa: E402
from edgevit.data.images import open_images  # noqa: E402
from edgevit.data.preprocess import preprocess  # noqa: E402
from edgevit.gate.budget import Budget  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.pipeline.choose import Limits, judge  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

pytestmark = pytest.mark.slow

_SOURCE = """
import numpy as np

FLOAT = np.load("float.npy")


def likeness(outputs, labels):
    # minus the largest difference from the float model, of each image
    return -np.abs(outputs - FLOAT).max(axis=1)
"""


def _digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Sixty images, uint8 [60, h, w, 3], with their labels."""
    images = open_images(f"digits:{split}")
    assert images.labels is not None
    pixels = [np.asarray(images.image(name)) for name in images.ids[:60]]
    return np.stack(pixels), np.array(images.labels[:60])


def test_what_top1_admits_ones_own_metric_rejects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean, other = _digits("test"), _digits("train")
    model = load_model(ModelSpec(name="digits_cnn"))
    prepared = [preprocess(Image.fromarray(each), model.preprocessing) for each in clean[0]]
    with torch.inference_mode():
        np.save(tmp_path / "float.npy", model.module(torch.from_numpy(np.stack(prepared))).numpy())
    (tmp_path / "likeness_metric.py").write_text(_SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    metric = importlib.import_module("likeness_metric").likeness

    def compress(resume: bool = False) -> edgevit.Run:
        return edgevit.compress(
            "digits_cnn",
            tmp_path / "run",
            evaluation={"clean": clean, "other": other},
            calibration="calibration:digits",
            export=["onnx"],
            schemes=["static_wi8_ai8"],
            quantize=edgevit.QuantizeSpec(max_minutes=0.001),
            metric=metric,
            budget=edgevit.BudgetSpec(max_drop=0.001),
            resume=resume,
        )

    run = compress()
    assert run.selected == "onnxruntime/fp32/dense"
    rejected = run.candidate("onnxruntime/static_wi8_ai8/dense")
    assert rejected.status == "rejected"
    assert "likeness drops" in rejected.reasons[0]
    assert rejected.accuracy is not None
    assert rejected.accuracy.metric is not None
    assert rejected.accuracy.metric.name == "likeness_metric:likeness"
    by_top1 = replace(rejected, accuracy=replace(rejected.accuracy, metric=None), attempts=())
    assert judge(by_top1, None, Limits(2.0)).status == "ok"

    (further,) = run.other_evaluations
    assert Path(further.source).name.startswith("evaluation-other-")
    assert [each.source for each in run.candidate("onnxruntime/fp32/dense").other_sets] == [further.source]
    assert rejected.other_sets == ()
    assert "judged by" in (tmp_path / "run" / "report.md").read_text()
    assert "## Other evaluation sets" in "\n".join(details(load_run(tmp_path / "run")))
    assert edgevit.check(run, Budget(metric_drop=0.001)).outcome == "pass"
    assert edgevit.load_run(tmp_path / "run").baseline.metric == run.baseline.metric

    scored = edgevit.evaluate(str(run.candidate("onnxruntime/fp32/dense").file), clean, metric=metric)
    assert scored.accuracy.metric is not None
    assert scored.accuracy.metric.value > -0.001
    (tmp_path / "likeness_metric.py").write_text(f"{_SOURCE}\n# another\n")
    with pytest.raises(edgevit.UsageError, match="source of the metric"):
        compress(resume=True)
