"""The front is timed in rounds; how long that takes is kept for it."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from edgevit.results.search import Estimate, PointSettings
from edgevit.search.front_rounds import rescaled, rounds_seconds
from edgevit.search.network import Evaluation
from edgevit.search.proxy import Amounts


def test_more_points_take_longer() -> None:
    points = [PointSettings("net", backend, "fp32") for backend in ("onnxruntime", "openvino", "litert")]
    assert 0 < rounds_seconds(points[:1]) < rounds_seconds(points) < 60
    assert rounds_seconds([]) == 0


def _timed(scheme: str, ms: float) -> Evaluation:
    point = PointSettings("net", "openvino", scheme)
    return Evaluation(point, Amounts(0.0, 0.0, ms, 1.0), ms=Estimate(ms, ms - 1, ms + 1, "measured"))


def test_what_had_no_part_in_the_rounds_is_scaled_by_its_float_model() -> None:
    """The machine was busy when points were first measured."""
    made = {
        each.point: each for each in (_timed("fp32", 200.0), _timed("bf16", 120.0), _timed("static_wi8_ai8", 100.0))
    }
    timed = {each.point: each for each in (_timed("fp32", 20.0), _timed("static_wi8_ai8", 9.0))}
    found = [each.ms for each in rescaled(made, timed).values()]
    assert found == [
        Estimate(20.0, 19.0, 21.0, "measured"),
        Estimate(12.0, pytest.approx(11.9), pytest.approx(12.1), "measured"),
        Estimate(9.0, 8.0, 10.0, "measured"),
    ]
