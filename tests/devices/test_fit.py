from __future__ import annotations

import pytest

from edgevit.devices import fit
from edgevit.devices.cross_validation import LEFT_OUT
from edgevit.devices.fit import fit_cost_model, log_errors, mapped
from edgevit.devices.validation import RowPrediction
from tests.devices.rows import made_up


def test_rows_without_a_graph_are_not_fitted() -> None:
    rows, graphs = made_up(3)
    graphs.pop("net1@8x8")
    assert {row.model for row in mapped((*rows, *rows), graphs)} == {"net0", "net2"}
    assert len(mapped((*rows, *rows), graphs)) == 4


def test_errors_are_logarithms_of_measured_over_predicted() -> None:
    rows, _ = made_up(1)
    predicted = [RowPrediction(row.id, row.latency_ms, 1, 1, "") for row in rows]
    assert log_errors(rows, predicted) == [0, 0]


def test_intervals_and_anchors_come_from_what_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "FOLDS", dict.fromkeys(LEFT_OUT, 2))
    rows, graphs = made_up(6)
    steps: list[tuple[str, int, int]] = []
    outcome = fit_cost_model(rows, graphs, lambda *step: steps.append(step))
    model = outcome.model
    assert [step for step in steps if step[0] == "leave graph out"] == [("leave graph out", at, 2) for at in (1, 2)]
    assert model.intervals.half_width("measured", rows[0].configuration) > 0
    assert ("not measured", "all") in model.intervals.half_widths
    assert set(outcome.left_out) == {"graph", "device", "graph and session"}
    assert set(model.anchors["not measured"].factors) == {1, 2, 3}
    assert model.anchors["measured"].factors == {}
