"""Which candidates of a run are compared on its devices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.devices.order import OrderJob, Orders
from edgevit.pipeline import device_order
from edgevit.pipeline.device_order import order_on_devices
from edgevit.results.predicted_order import PredictedOrder
from edgevit.run.stages import Stages
from edgevit.spec.spec import Spec
from tests.factories import make_artifact, make_candidate, make_prediction
from tests.pipeline.contexts import make_context, make_inputs

A, B, C, D = "onnxruntime/fp32/dense", "litert/fp32/dense", "litert/fp16/dense", "openvino/fp32/dense"


def test_what_may_be_chosen_and_runs_there_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[OrderJob] = []
    order = {"raspberry-pi-5": PredictedOrder(A, {A: 1.0}, {A: 0.0})}

    def answer(self: Stages, stage: str, log: str, task: Any) -> Orders:
        asked.append(task.argument)
        return Orders(order)

    monkeypatch.setattr(Stages, "run_in_child", answer)
    spec = Spec.model_validate({"model": {"name": "m"}, "devices": ["raspberry-pi-5"]})
    context = make_context(make_inputs(spec), tmp_path, np.eye(3, dtype=np.float32))
    runs = (make_prediction(1.0, 2.0, device="raspberry-pi-5"),)
    falls_off = (replace(runs[0], latency_ms=None, unsupported_ops=("GELU (1 x)",)),)
    found = tuple(
        make_candidate(name, artifact=make_artifact(), predictions=predictions, status=status)
        for name, predictions, status in ((A, runs, "ok"), (B, falls_off, "ok"), (C, runs, "rejected"), (D, (), "ok"))
    )
    assert order_on_devices(context, found) == order
    assert [[each.id for each in job.artifacts] for job in asked] == [[A]]
    assert order_on_devices(context, found[1:]) == {}
    (tmp_path / "b").mkdir()
    without = make_context(make_inputs(Spec.model_validate({"model": {"name": "m"}})), tmp_path / "b", np.eye(3))
    assert order_on_devices(without, found) == {}
    assert len(asked) == 1
    assert device_order.STAGE == "compare predictions"
