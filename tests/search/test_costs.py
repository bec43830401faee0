"""What candidates are expected to take."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from edgevit.data.sampling import RunData
from edgevit.results.search import PointSettings
from edgevit.search.costs import candidate_seconds
from tests.pipeline.contexts import digits_spec, make_inputs, noise

FLOAT = PointSettings("net", "onnxruntime", "fp32")
PLAN = replace(FLOAT, tokens="tome:8", form="gather")
INPUTS = make_inputs(digits_spec(), data=RunData(noise(100, (0,) * 100), noise(20)))


def _seconds(point: PointSettings, share: float = 1.0, **finetune: float) -> float:
    spec = INPUTS.spec.model_copy(update={"finetune": INPUTS.spec.finetune.model_copy(update=finetune)})
    return candidate_seconds(point, replace(INPUTS, spec=spec), 1_000_000_000, share)


def test_more_work_takes_longer() -> None:
    assert _seconds(FLOAT) < _seconds(PLAN)
    assert _seconds(PLAN, 0.5) < _seconds(PLAN, 1.0)
    int8 = replace(FLOAT, scheme="static_wi8_ai8")
    assert _seconds(int8) < _seconds(replace(int8, finetune="quick")) < _seconds(replace(int8, finetune="full"))


def test_fine_tuning_ends_after_its_minutes() -> None:
    tuned = replace(PLAN, finetune="full")
    assert _seconds(tuned, max_minutes=1.0) <= _seconds(PLAN) + 60 + 10
    assert _seconds(tuned, images_seen=64) < _seconds(tuned)
