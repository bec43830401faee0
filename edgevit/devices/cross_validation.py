"""Predictions of measurements by fits that did not see them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import numpy as np

from edgevit.devices.cost_model import fit_rows, predict_rows
from edgevit.devices.evidence import Row
from edgevit.devices.evidence_basis import Basis, basis
from edgevit.devices.graph_table import Features, same_graphs
from edgevit.devices.interval_table import IntervalTable, interval_table
from edgevit.devices.validation import RowPrediction

LeftOut = Literal["graph", "graph on device", "device"]
"""What is left out of the fit with a row: its graph everywhere, its graph on its device alone, or its device."""
LEFT_OUT: tuple[LeftOut, ...] = get_args(LeftOut)

_FOLDS: dict[LeftOut, int] = {"graph": 20, "graph on device": 10, "device": 10}


def group_names(rows: Sequence[Row], graphs: Mapping[str, Features], left_out: LeftOut) -> list[str]:
    """Returns what is left out together with each row; a graph is its model at all sizes, and those alike."""
    same = same_graphs(graphs)
    name: Mapping[LeftOut, Callable[[Row], str]] = {
        "graph": lambda row: same[row.model],
        "graph on device": lambda row: f"{same[row.model]}|{row.configuration.device}",
        "device": lambda row: row.configuration.device,
    }
    return [name[left_out](row) for row in rows]


def fold_of(groups: Sequence[str], folds: int) -> list[int]:
    """Assigns each group to a fold, about as many groups to each; the same groups to the same folds on every machine."""
    order = sorted(set(groups), key=lambda group: hashlib.sha256(group.encode()).digest())
    fold = {group: number % folds for number, group in enumerate(order)}
    return [fold[group] for group in groups]


def cross_validate(
    rows: Sequence[Row],
    graphs: Mapping[str, Features],
    left_out: LeftOut,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[RowPrediction, ...]:
    """Predicts each row with a fit to the rows of other folds, and an interval from the errors in other folds.

    Args:
        rows: Measurements, each with its graph among ``graphs``.
        graphs: Features by name of graph.
        left_out: What is left out together with a row.
        progress: Called with the numbers of fits done and of all.

    Returns:
        One prediction per row.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    fold = fold_of(group_names(rows, graphs, left_out), _FOLDS[left_out])
    folds = sorted(set(fold))
    log_p = np.full(len(rows), math.nan)
    bases: list[Basis | None] = [None] * len(rows)
    for done, number in enumerate(folds):
        outside = [row for row, other in zip(rows, fold, strict=True) if other != number]
        members = [at for at, other in enumerate(fold) if other == number]
        inside = [rows[at] for at in members]
        model = fit_rows(outside, graphs)
        log_p[members] = predict_rows(model, inside, graphs)
        for at in members:
            bases[at] = basis(model, rows[at].configuration)
        progress(done + 1, len(folds))
    errors = np.log([row.latency_ms for row in rows]) - log_p
    return _with_intervals(rows, log_p, errors, fold, [found for found in bases if found is not None])


def _with_intervals(
    rows: Sequence[Row], log_p: np.ndarray, errors: np.ndarray, fold: Sequence[int], bases: Sequence[Basis]
) -> tuple[RowPrediction, ...]:
    configurations = [row.configuration for row in rows]
    made: list[RowPrediction] = []
    tables: dict[int, IntervalTable] = {}
    for at, (row, number, found) in enumerate(zip(rows, fold, bases, strict=True)):
        if number not in tables:
            others = [math.nan if other == number else float(error) for error, other in zip(errors, fold, strict=True)]
            regimes = {
                regime: [e if b.regime == regime else math.nan for e, b in zip(others, bases, strict=True)]
                for regime in ("measured", "not measured")
            }
            tables[number] = interval_table(regimes, configurations)  # type: ignore[arg-type]
        half = found.widening * tables[number].half_width(found.regime, row.configuration)
        made.append(row_prediction(row.id, float(log_p[at]), half, found.words))
    return tuple(made)


def row_prediction(id: str, log_ms: float, half_width: float, words: str) -> RowPrediction:
    """Returns a prediction from the logarithm of its median in ms and the half-width of its interval."""
    return RowPrediction(id, math.exp(log_ms), math.exp(log_ms - half_width), math.exp(log_ms + half_width), words)
