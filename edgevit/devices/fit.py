"""Fits the cost model that edgevit ships, and its intervals, to the carried table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from edgevit.devices.anchors import narrowing_factors
from edgevit.devices.coefficients import CostModel
from edgevit.devices.cost_model import fit_rows, matrix
from edgevit.devices.cross_validation import LeftOut, cross_validate, group_names
from edgevit.devices.error_correlations import error_correlations
from edgevit.devices.evidence import Row, without_duplicates
from edgevit.devices.graph_table import Features
from edgevit.devices.interval_table import Regime, interval_table
from edgevit.devices.validation import RowPrediction

_LEFT_OUT_OF: Mapping[Regime, LeftOut] = {"measured": "graph", "not measured": "device"}
"""Whose errors the intervals of each regime are from."""


def mapped(rows: Sequence[Row], graphs: Mapping[str, Features]) -> tuple[Row, ...]:
    """Returns the rows that have a graph, without duplicates."""
    return tuple(row for row in without_duplicates(rows) if row.graph in graphs)


@dataclass(frozen=True)
class FitOutcome:
    """A cost model, and the predictions that its intervals are from."""

    model: CostModel
    rows: tuple[Row, ...]
    """Measurements that it was fitted to."""
    predicted: Mapping[LeftOut, tuple[RowPrediction, ...]]
    """Predictions of the rows by fits that did not see them, by what was left out."""


def fit_cost_model(
    rows: Sequence[Row], graphs: Mapping[str, Features], progress: Callable[[str, int, int], None]
) -> FitOutcome:
    """Fits coefficients to all rows, and takes the intervals from predictions that did not see what they predict.

    Args:
        rows: Measurements; those without a graph are left out.
        graphs: Features by name of graph.
        progress: Called with what is left out and the numbers of fits done and of all.
    """
    known = mapped(rows, graphs)
    predicted: dict[LeftOut, tuple[RowPrediction, ...]] = {
        left_out: cross_validate(known, graphs, left_out, partial(progress, f"leave {left_out} out"))
        for left_out in _LEFT_OUT_OF.values()
    }
    errors = {regime: log_errors(known, predicted[left_out]) for regime, left_out in _LEFT_OUT_OF.items()}
    table = interval_table(errors, [row.configuration for row in known])
    names = group_names(known, graphs, "graph")
    anchors = {
        regime: narrowing_factors(known, predicted[left_out], names) for regime, left_out in _LEFT_OUT_OF.items()
    }
    by_regime = {regime: predicted[left_out] for regime, left_out in _LEFT_OUT_OF.items()}
    correlations = error_correlations(known, by_regime, matrix(known, graphs))
    model = replace(fit_rows(known, graphs), intervals=table, anchors=anchors, correlations=correlations)
    return FitOutcome(model, known, predicted)


def log_errors(rows: Sequence[Row], predicted: Sequence[RowPrediction]) -> list[float]:
    """Returns the logarithm of measured over predicted latency of each row."""
    return [math.log(row.latency_ms / made.p50) for row, made in zip(rows, predicted, strict=True)]
