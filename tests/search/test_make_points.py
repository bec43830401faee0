"""Points that share a parent are made side by side, and the parent once."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.data.sampling import RunData
from edgevit.pipeline.context import Variant
from edgevit.pipeline.tuned_candidates import Tuned
from edgevit.results.candidate import Candidate, Contribution
from edgevit.results.search import PointSettings
from edgevit.search import make_points
from edgevit.search.make_points import PointMaker
from edgevit.search.network import Evaluation
from edgevit.search.pruned_models import PrunedModels
from tests.factories import make_candidate
from tests.pipeline.contexts import CONTRACT, digits_spec, make_context, make_executor, make_inputs, noise

FLOAT = PointSettings("net", "onnxruntime", "fp32")


def test_a_parent_that_is_being_timed_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two int8 candidates wait for their float parent, which waits until nothing else is left to do before it is timed."""
    inputs = make_inputs(digits_spec(export={"backends": ["onnx"]}), data=RunData(noise(4, (0,) * 4), noise(4)))
    context = make_context(inputs, tmp_path, np.zeros((4, 4), np.float32))
    executor = make_executor(tmp_path, jobs=2)
    object.__setattr__(context.stages, "executor", executor)
    dense = Variant("dense", tmp_path / "dense.pt2", CONTRACT, (), tmp_path / "dense.npy")
    timed: list[str] = []

    def build(*arguments: Any, **_: Any) -> Candidate:
        with executor.beside_others():
            time.sleep(0.05)
        with executor.alone():
            timed.append("parent")
        return make_candidate("onnxruntime/fp32/dense")

    def measure(_: Any, draft: Any) -> Candidate:
        with executor.alone():
            timed.append(draft.candidate.id)
        return make_candidate(draft.candidate.id, scheme=draft.candidate.scheme)

    monkeypatch.setattr(make_points, "build", build)
    monkeypatch.setattr(make_points, "make", lambda context, draft: draft)
    monkeypatch.setattr(make_points, "measure", measure)
    monkeypatch.setattr(PointMaker, "_evaluation", lambda self, point, candidate: Evaluation(point, None, "failed"))
    maker, told = (
        PointMaker("net", context, PrunedModels(context, cast(Any, type("T", (), {"dense": dense})))),
        list[Evaluation](),
    )
    points = [
        FLOAT,
        PointSettings("net", "onnxruntime", "static_wi8_ai8"),
        PointSettings("net", "onnxruntime", "static_wi8_ai8", float_layers=("head",)),
    ]
    context.stages.side_by_side([partial(maker.make, point, told.append) for point in points])
    assert timed[0] == "parent"
    digest = points[2].layers_digest
    assert sorted(timed[1:]) == [
        "onnxruntime/static_wi8_ai8/dense",
        f"onnxruntime/static_wi8_ai8/dense-float-{digest}",
    ]
    assert {each.point for each in told} == set(points)
    assert len(told) == 3


@pytest.mark.parametrize(("parent_ms", "expected"), [(7.0, 12.0 * (6.0 / 11.0) * (2.0 / 6.5)), (None, 2.4)])
def test_a_time_follows_from_the_dense_one_only_over_parents_that_were_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parent_ms: float | None, expected: float
) -> None:
    """A float parent that loses more than the limit is not timed: what an int8 model gains on it says nothing of the dense one."""
    inputs = make_inputs(digits_spec(export={"backends": ["onnx"]}), data=RunData(noise(4, (0,) * 4), noise(4)))
    context = make_context(inputs, tmp_path, np.zeros((4, 4), np.float32))
    dense = Variant("dense", tmp_path / "dense.pt2", CONTRACT, (), tmp_path / "dense.npy")
    smaller = Contribution("resize", "resolution:20", 100, 60, 11.0, 6.0, 2.0)
    quantized = Contribution("quantize", "static_wi8_ai8", 60, 60, 6.5, 2.0, 0.1)
    steps = (smaller, quantized) if parent_ms else (quantized,)
    parent = make_candidate("onnxruntime/fp32/small-quick", p50_ms=parent_ms, parent="onnxruntime/fp32/dense")
    tuned = make_candidate("onnxruntime/static_wi8_ai8/small-quick", p50_ms=2.4, parent=parent.id, contributions=steps)
    monkeypatch.setattr(make_points, "build", lambda *_: make_candidate("onnxruntime/fp32/dense", p50_ms=12.0))
    monkeypatch.setattr(make_points, "make", lambda context, draft: draft)
    monkeypatch.setattr(
        make_points, "measure", lambda _, draft: replace(draft.candidate, artifact=make_candidate().artifact)
    )
    monkeypatch.setattr(make_points, "make_tuned", lambda *_: Tuned((parent, tuned)))
    monkeypatch.setattr(PointMaker, "_divergence", lambda self, candidate: 0.01)
    models = PrunedModels(context, cast(Any, type("T", (), {"dense": dense})))
    monkeypatch.setattr(PrunedModels, "beside", lambda self, prune: None)
    told: list[Evaluation] = []
    PointMaker("net", context, models).make(
        PointSettings("net", "onnxruntime", "static_wi8_ai8", finetune="quick"), told.append
    )
    assert told[-1].ms is not None
    assert told[-1].ms.value == pytest.approx(expected)
