from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import pytest

from edgevit.devices import cost_model
from edgevit.devices.cross_validation import (
    FEW_FOLDS,
    FOLDS,
    LEFT_OUT,
    LeftOut,
    cross_validate,
    fold_of,
    group_names,
    row_prediction,
)
from edgevit.devices.fitted import Fitted
from edgevit.devices.hierarchical import Level, Problem, fit
from edgevit.devices.interval_table import Regime
from tests.devices.rows import made_up


def test_no_group_is_in_two_folds() -> None:
    groups = ["a", "b", "a", "c", "b", "d", "e"]
    fold = fold_of(groups, 3)
    assert len(set(zip(groups, fold, strict=True))) == 5
    assert fold_of(groups[::-1], 3) == fold[::-1]


def test_what_is_left_out_together() -> None:
    rows, graphs = made_up(2)
    assert group_names(rows, graphs, "graph") == ["net0", "net0", "net1", "net1"]
    assert group_names(rows, graphs, "device") == ["fast", "slow", "fast", "slow"]
    assert group_names(rows, graphs, "graph on device")[1] == "net0|slow"


def test_graphs_that_were_left_out_are_predicted_from_the_others() -> None:
    rows, graphs = made_up(16)
    predicted = cross_validate(rows, graphs, "graph", 4).predicted
    assert [made.id for made in predicted] == [row.id for row in rows]
    assert median(abs(made.p50 / row.latency_ms - 1) for row, made in zip(rows, predicted, strict=True)) < 0.25
    assert {made.basis for made in predicted} == {"fitted on 12 published measurements of this unit"}


def test_a_left_out_latency_does_not_change_its_own_prediction() -> None:
    from dataclasses import replace

    rows, graphs = made_up(8)
    changed = tuple(replace(row, latency_ms=1e5) if row.model == "net3" else row for row in rows)
    before, after = (
        cross_validate(rows, graphs, "graph", 4).predicted,
        cross_validate(changed, graphs, "graph", 4).predicted,
    )
    assert [a.p50 for a, row in zip(after, rows, strict=True) if row.model == "net3"] == [
        b.p50 for b, row in zip(before, rows, strict=True) if row.model == "net3"
    ]


def test_a_device_that_was_left_out_says_so() -> None:
    rows, graphs = made_up(6)
    assert {made.basis for made in cross_validate(rows, graphs, "device", 4).predicted} == {
        "scaled from 6 published measurements of other architectures"
    }
    assert set(LEFT_OUT) == set(FOLDS) == set(FEW_FOLDS)


@pytest.mark.parametrize(("left_out", "regime"), [("graph", "measured"), ("device", "not measured")])
def test_each_fold_is_fitted_with_the_levels_that_its_rows_need(
    left_out: LeftOut, regime: Regime, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []

    def recorded(problem: Problem, levels: Sequence[Level], families: Sequence[int], iterations: int) -> Fitted:
        used.append(levels)
        return fit(problem, levels, families, iterations=iterations)

    monkeypatch.setattr(cost_model, "fit", recorded)
    assert set(cross_validate(*made_up(6), left_out, 2).regimes) == {regime}
    assert used == [cost_model.LEVELS[regime]] * 2


def test_a_graph_and_its_session_are_left_out_together() -> None:
    rows, graphs = made_up(8)
    found = cross_validate(rows, graphs, "graph and session", 2)
    assert not any(math.isnan(made.p50) for made in found.predicted)
    assert found.regimes == ("not measured",) * len(rows)


def test_points_are_those_of_the_rows() -> None:
    rows, graphs = made_up(6)
    found = cross_validate(rows, graphs, "graph", 2)
    assert found.points.shares.shape[0] == found.points.places.shape[0] == len(rows)
    assert found.points.shares.sum(axis=1) == pytest.approx([1] * len(rows))


def test_the_interval_is_a_factor() -> None:
    made = row_prediction("a", 0.0, 0.5, "words")
    assert (made.p50, made.low * made.high) == (1.0, pytest.approx(1.0))
