"""What predictions were worth."""

from __future__ import annotations

import pytest

from edgevit.results.search import PointSettings
from edgevit.search.factors import Corrected
from edgevit.search.forecasts import judge_forecasts
from edgevit.search.network import Evaluation
from edgevit.search.proxy import Amounts, Predicted


def _point(number: int) -> PointSettings:
    return PointSettings("net", "openvino", "fp32", f"tome:{number}")


def _predicted(drop: float, ms: float) -> Predicted:
    return Predicted(*[Corrected(value, value - 1, value + 1) for value in (0.1, drop, ms, 5e6)])


def test_a_measurement_counts_where_it_was_predicted() -> None:
    predicted = {_point(n): _predicted(float(n), 10.0 - n) for n in range(1, 5)}
    made = {_point(n): Evaluation(_point(n), Amounts(0.1, n + 0.5, 10.2 - n, 5e6)) for n in range(1, 5)}
    made[_point(4)] = Evaluation(_point(4), Amounts(0.1, 9.0, 30.0, 5e6))
    made[_point(9)] = Evaluation(_point(9), Amounts(0.1, 9.0, 30.0, 5e6))
    found = judge_forecasts(predicted, made)
    assert (found.points, found.in_interval) == (4, pytest.approx(6 / 8))
    assert found.drop_correlation == pytest.approx(1.0)
    assert found.latency_correlation is not None
    assert found.latency_correlation < 1


def test_few_points_tell_no_correlation() -> None:
    found = judge_forecasts({}, {})
    assert (found.points, found.in_interval, found.latency_correlation) == (0, None, None)
