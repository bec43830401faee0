from __future__ import annotations

import math

import pytest

from edgevit.devices.anchors import Anchor, anchored, narrowing, narrowing_factors, shift
from edgevit.devices.validation import RowPrediction
from tests.devices.rows import made_up


def test_the_scale_follows_the_anchors_and_a_little_the_prediction() -> None:
    error = Anchor(predicted_ms=10, measured_ms=20).error
    assert error == pytest.approx(math.log(2))
    assert shift([]) == 0
    assert shift([error]) == pytest.approx(error / 1.5)
    assert shift([error] * 10) == pytest.approx(error * 10 / 10.5)


def test_one_scale_is_found_by_anchors_that_are_other_graphs() -> None:
    rows, _ = made_up(8)
    predicted = [RowPrediction(row.id, row.latency_ms / 3, row.latency_ms / 6, row.latency_ms, "") for row in rows]
    found = anchored(rows, predicted, [row.model for row in rows], 4)
    assert len(found) == len(rows)
    assert {round(made.p50 / row.latency_ms, 6) for row, made in found} == {round(3 ** (4 / 4.5) / 3, 6)}
    assert {round(made.high / made.p50, 6) for _, made in found} == {3.0}


def test_a_session_with_few_graphs_has_no_anchors() -> None:
    rows, _ = made_up(5)
    predicted = [RowPrediction(row.id, 1, 1, 1, "") for row in rows]
    assert anchored(rows, predicted, [row.model for row in rows], 3) == []


def test_anchors_narrow_the_interval_of_a_wrong_scale() -> None:
    rows, _ = made_up(12)
    predicted = [RowPrediction(row.id, row.latency_ms / 3, 1, 1, "") for row in rows]
    factors = narrowing_factors(rows, predicted, [row.model for row in rows])
    assert factors[1] == pytest.approx(1 - 1 / 1.5)
    assert factors[5] < factors[3] < factors[1]
    assert narrowing(factors, 4) == factors[3]
    assert narrowing(factors, 0) == 1
