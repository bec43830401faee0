"""What a search would look at, without doing it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from edgevit.errors import UsageError
from edgevit.run.progress import Silent
from edgevit.search.dry_run import PlannedSearch, check_space, plan_search
from edgevit.search.request import SearchRequest
from edgevit.spec.resolve import resolve_spec

DIGITS = {"evaluation": "digits", "calibration": "calibration:digits", "samples": 20}


def _plan(
    model: str = "digits_cnn", *, minutes: float | None = None, trials: int | None = None, **more: Any
) -> PlannedSearch:
    sections: dict[str, Any] = {"export": {"backends": ["onnx"], "schemes": ["static_wi8_ai8"]}, **more}
    spec = resolve_spec(None, None, {"model": {"name": model}, "data": DIGITS, **sections})
    return plan_search(SearchRequest((spec,), max_minutes=minutes, max_trials=trials), 1, Silent())


def test_the_space_is_counted_and_what_is_impossible_is_told() -> None:
    schemes = {"backends": ["onnx"], "schemes": ["static_wi8_ai8", "bf16"]}
    planned = _plan(passes={"tokens": "resolution:28,evit:0.7"}, trials=50, export=schemes)
    (model,) = planned.models
    assert (model.points, model.plans) == (4, 1)
    assert {struck.what for struck in model.struck} == {"digits_cnn × evit:0.7", "onnxruntime × bf16"}
    assert planned.candidates == 4
    assert planned.disk_bytes > 0


def test_minutes_and_trials_limit_what_is_made() -> None:
    plans = {"tokens": "resolution:28,resolution:24,resolution:20"}
    assert _plan(passes=plans, trials=3).candidates == 3
    planned = _plan(passes=plans, minutes=1.0)
    assert planned.minutes <= 1.0
    assert planned.candidates < 8


def test_a_space_of_one_point_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to search: the space of digits_cnn"):
        _plan(export={"backends": ["onnx"], "schemes": ["bf16"]}, trials=3)
    check_space((("a", 1), ("b", 1)))
