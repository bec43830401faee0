"""Fits the cost model that edgevit ships, and its intervals, to the carried table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from edgevit.devices.anchor_fit import LeftOutErrors, fit_anchors
from edgevit.devices.coefficients import CostModel
from edgevit.devices.cost_model import fit_rows, matrix
from edgevit.devices.cross_validation import FOLDS, CrossValidation, LeftOut, cross_validate, group_names
from edgevit.devices.error_correlations import error_correlations
from edgevit.devices.evidence import Row, without_duplicates
from edgevit.devices.graph_table import Features
from edgevit.devices.interval_table import Regime, interval_table
from edgevit.devices.validation import RowPrediction

_LEFT_OUT_OF: Mapping[Regime, LeftOut] = {"measured": "graph", "not measured": "device"}
"""Whose errors the intervals of each regime are from."""
_ANCHORED_OF: Mapping[Regime, LeftOut] = {"measured": "graph and session", "not measured": "device"}
"""Whose errors anchors correct: those of networks on a unit that was measured, but not together with the anchors, and
those on a unit that was not."""


def mapped(rows: Sequence[Row], graphs: Mapping[str, Features]) -> tuple[Row, ...]:
    """Returns the rows that have a graph, without duplicates."""
    return tuple(row for row in without_duplicates(rows) if row.graph in graphs)


@dataclass(frozen=True)
class FitOutcome:
    """A cost model, and the predictions that its intervals are from."""

    model: CostModel
    rows: tuple[Row, ...]
    """Measurements that it was fitted to."""
    left_out: Mapping[LeftOut, CrossValidation]
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
    found = {
        left_out: cross_validate(known, graphs, left_out, FOLDS[left_out], partial(progress, f"leave {left_out} out"))
        for left_out in dict.fromkeys([*_LEFT_OUT_OF.values(), *_ANCHORED_OF.values()])
    }
    predicted = {regime: found[left_out].predicted for regime, left_out in _LEFT_OUT_OF.items()}
    errors = {regime: log_errors(known, of_regime) for regime, of_regime in predicted.items()}
    table = interval_table(errors, [row.configuration for row in known])
    correlations = error_correlations(known, predicted, matrix(known, graphs))
    anchors = {
        regime: fit_anchors(left_out_errors(known, graphs, found[left_out], regime))
        for regime, left_out in _ANCHORED_OF.items()
    }
    model = replace(fit_rows(known, graphs), intervals=table, anchors=anchors, correlations=correlations)
    return FitOutcome(model, known, found)


def left_out_errors(
    rows: Sequence[Row], graphs: Mapping[str, Features], found: CrossValidation, regime: Regime
) -> LeftOutErrors:
    """Returns the errors of those predictions that rest on evidence of a regime."""
    at = [index for index, of_row in enumerate(found.regimes) if of_row == regime]
    names = group_names(rows, graphs, "graph")
    return LeftOutErrors(
        [rows[index] for index in at],
        [found.predicted[index] for index in at],
        found.points.take(at),
        [names[index] for index in at],
    )


def log_errors(rows: Sequence[Row], predicted: Sequence[RowPrediction]) -> list[float]:
    """Returns the logarithm of measured over predicted latency of each row."""
    return [math.log(row.latency_ms / made.p50) for row, made in zip(rows, predicted, strict=True)]
