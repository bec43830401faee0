"""Errors of two predictions for one device: how strongly they correlate, and how wide their difference is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgevit.devices.coefficients import SHIPPED, load_cost_model
from edgevit.devices.cost_model import matrix
from edgevit.devices.error_correlations import (
    FEWEST,
    ErrorCorrelations,
    PricedGraph,
    error_correlations,
    likeness_of,
    relation_of,
)
from edgevit.devices.interval_table import quantile
from edgevit.devices.validation import RowPrediction
from tests.devices.rows import configuration, made_up

ROWS, GRAPHS = made_up(40)
FAR = np.array([100.0])


def predicted(errors: list[float]) -> list[RowPrediction]:
    """Predictions that are off by these errors of ``log t``, with an interval that holds 80 % of them."""
    half = quantile([abs(error) for error in errors])
    medians = [row.latency_ms / math.exp(error) for row, error in zip(ROWS, errors, strict=True)]
    return [
        RowPrediction(row.id, p50, p50 / math.exp(half), p50 * math.exp(half), "")
        for row, p50 in zip(ROWS, medians, strict=True)
    ]


def correlations(errors: list[float]) -> dict[tuple[str, ...], tuple[int, float]]:
    found = error_correlations(ROWS, {"measured": predicted(errors)}, matrix(ROWS, GRAPHS))
    return dict(found.values)


def test_what_a_device_shares_is_found() -> None:
    scale = {"fast": 0.7, "slow": -0.4}
    shared = correlations([scale[row.configuration.device] for row in ROWS])
    assert {value for _, value in shared.values()} == {0.999}
    random = np.random.default_rng(0)
    own = correlations([float(error) for error in random.normal(0, 0.3, len(ROWS))])
    together = sum(count * value for count, value in own.values()) / sum(count for count, _ in own.values())
    assert together == pytest.approx(0, abs=0.25)
    assert {key[:2] for key in own} == {("measured", "kernels")}


def test_a_pair_is_two_graphs_of_one_session() -> None:
    counts = correlations([0.1] * len(ROWS))
    assert sum(count for count, _ in counts.values()) == 2 * 40 * 39 / 2


def test_what_two_configurations_share() -> None:
    mine = configuration()
    assert relation_of(mine, configuration()) == "kernels"
    assert relation_of(mine, configuration(precision="int8")) == "unit"
    assert relation_of(mine, replace(mine, unit="gpu")) == "device"


def test_the_nearer_two_graphs_the_more_alike() -> None:
    assert [likeness_of(distance) for distance in (0, 2, 3, 5, 1e9)] == ["like", "like", "akin", "unlike", "unlike"]


def test_the_difference_of_what_shares_its_error_is_narrow() -> None:
    table = ErrorCorrelations(
        {("measured", "kernels", "like"): (FEWEST, 0.75), ("measured", "kernels", "unlike"): (FEWEST, 0.0)}
    )
    one = PricedGraph(configuration(), "measured", 0.4, np.array([0.0]))
    assert table.half_width(one, one) == pytest.approx(0.4 * math.sqrt(0.5))
    assert table.half_width(one, replace(one, place=FAR)) == pytest.approx(0.4 * math.sqrt(2))
    other_kernels = replace(one, configuration=configuration(precision="int8"))
    assert table.correlation(one, other_kernels) == 0, "nothing is known of these"
    assert ErrorCorrelations.from_document(table.document()) == table


def test_few_pairs_take_the_correlation_of_less_alike_ones() -> None:
    values: dict[tuple[str, ...], tuple[int, float]] = {
        ("measured", "kernels", "like"): (FEWEST - 1, 0.9),
        ("measured", "kernels", "akin"): (FEWEST, 0.5),
    }
    one = PricedGraph(configuration(), "measured", 0.4, np.array([0.0]))
    assert ErrorCorrelations(values).correlation(one, one) == 0.5


def test_shipped_correlations_grow_with_likeness_and_with_an_unknown_scale() -> None:
    values = load_cost_model(SHIPPED).correlations.values
    for regime in ("measured", "not measured"):
        like, akin, unlike = (values[(regime, "kernels", name)][1] for name in ("like", "akin", "unlike"))
        assert like > akin > unlike
    assert values[("not measured", "kernels", "unlike")][1] > 0.8 > values[("measured", "kernels", "unlike")][1]
