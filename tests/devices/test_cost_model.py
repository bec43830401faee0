from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgevit.devices.cost_model import LEVELS, feature_times, fit_rows, matrix, predict_rows
from edgevit.devices.features import FAMILY_OF, FEATURES
from edgevit.devices.interval_table import Regime
from tests.devices.rows import configuration, made_up


def test_every_feature_has_a_family_and_every_level_a_group() -> None:
    assert len(FAMILY_OF) == len(FEATURES)
    assert {level.name for levels in LEVELS.values() for level in levels} <= set(configuration().groups())


def test_a_fit_predicts_what_it_saw() -> None:
    rows, graphs = made_up()
    predicted = np.exp(predict_rows(fit_rows(rows, graphs), rows, graphs))
    assert np.median(np.abs(predicted / [row.latency_ms for row in rows] - 1)) < 0.1


def test_only_the_further_levels_tell_what_a_runtime_family_costs_where_nothing_else_is_known() -> None:
    """One family took three times as long; both are asked in runtimes, on threads and on a unit that no row has."""
    rows, graphs = made_up()
    other = [
        replace(row, configuration=replace(row.configuration, runtime="QNN"), latency_ms=3 * row.latency_ms)
        for row in rows
    ]
    model = fit_rows([*rows, *other], graphs)

    def ratio(regime: Regime) -> float:
        chosen = replace(model, coefficients={"not measured": model.coefficients[regime]})
        slow, fast = (
            feature_times(
                chosen,
                [replace(row, configuration=replace(configuration("new", runtime=name), threads="1")) for row in rows],
                graphs,
            ).sum()
            for name in ("TFLite + QNN delegate", "XNNPACK")
        )
        return float(slow / fast)

    assert ratio("measured") == pytest.approx(1)
    assert 1.5 < ratio("not measured") < 3


@pytest.mark.parametrize(("device", "regime"), [("fast", "measured"), ("new", "not measured")])
def test_a_unit_is_predicted_by_the_coefficients_of_its_regime(device: str, regime: Regime) -> None:
    rows, graphs = made_up()
    model = fit_rows(rows, graphs)
    asked = [replace(row, configuration=configuration(device)) for row in rows]
    alone = fit_rows(rows, graphs, {configuration(device)})
    assert model.coefficients.keys() == set(LEVELS)
    assert alone.coefficients.keys() == {regime}
    predicted = predict_rows(alone, asked, graphs)
    assert (predict_rows(model, asked, graphs) == predicted).all()
    one_by_one = [model.log_ms(x, row.configuration) for x, row in zip(matrix(asked, graphs), asked, strict=True)]
    assert one_by_one == pytest.approx(predicted.tolist())


def test_rows_of_both_regimes_are_predicted_together() -> None:
    rows, graphs = made_up()
    model = fit_rows(rows, graphs)
    mixed = [replace(row, configuration=configuration(("fast", "new")[at % 3 == 0])) for at, row in enumerate(rows)]
    one_by_one = [predict_rows(model, [row], graphs)[0] for row in mixed]
    assert predict_rows(model, mixed, graphs).tolist() == pytest.approx(one_by_one, abs=1e-9)


def test_latencies_are_not_read_to_predict() -> None:
    rows, graphs = made_up()
    model = fit_rows(rows, graphs)
    other = [replace(row, latency_ms=1e9) for row in rows]
    assert (predict_rows(model, other, graphs) == predict_rows(model, rows, graphs)).all()


def test_a_row_without_a_graph() -> None:
    rows, _ = made_up(2)
    with pytest.raises(KeyError):
        fit_rows(rows, {})
