from __future__ import annotations

import numpy as np
import pytest

from edgevit.devices.least_squares import left_out_least_squares
from tests.devices.rows import made_up


def test_latencies_that_are_a_sum_are_predicted_exactly() -> None:
    rows, graphs = made_up()
    predicted = left_out_least_squares(rows, graphs, [row.model for row in rows])
    assert np.exp(predicted) == pytest.approx([row.latency_ms for row in rows], rel=1e-6)


def test_a_configuration_with_few_rows_is_not_predicted() -> None:
    rows, graphs = made_up(6)
    assert np.isnan(left_out_least_squares(rows, graphs, [row.model for row in rows])).all()
