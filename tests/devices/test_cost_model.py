from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgevit.devices.cost_model import LEVELS, fit_rows, predict_rows
from edgevit.devices.features import FAMILY_OF, FEATURES
from tests.devices.rows import configuration, made_up


def test_every_feature_has_a_family_and_every_level_a_group() -> None:
    assert len(FAMILY_OF) == len(FEATURES)
    assert {level.name for level in LEVELS} <= set(configuration().groups())


def test_a_fit_predicts_what_it_saw() -> None:
    rows, graphs = made_up()
    predicted = np.exp(predict_rows(fit_rows(rows, graphs), rows, graphs))
    assert np.median(np.abs(predicted / [row.latency_ms for row in rows] - 1)) < 0.1


def test_latencies_are_not_read_to_predict() -> None:
    rows, graphs = made_up()
    model = fit_rows(rows, graphs)
    other = [replace(row, latency_ms=1e9) for row in rows]
    assert (predict_rows(model, other, graphs) == predict_rows(model, rows, graphs)).all()


def test_a_row_without_a_graph() -> None:
    rows, _ = made_up(2)
    with pytest.raises(KeyError):
        fit_rows(rows, {})
