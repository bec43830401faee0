"""Predictions of measurements by fits that did not see them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from edgevit.devices.anchors import Points, points
from edgevit.devices.cost_model import feature_times, fit_rows, matrix, predict_rows
from edgevit.devices.evidence import Row
from edgevit.devices.evidence_basis import Basis, basis
from edgevit.devices.fitted import Array
from edgevit.devices.graph_table import Features, same_graphs
from edgevit.devices.interval_table import IntervalTable, Regime, interval_table
from edgevit.devices.validation import RowPrediction

LeftOut = Literal["graph", "graph on device", "device", "graph and session"]
"""What is left out of the fit with a row: its graph everywhere, its graph on its device alone, its device, or both its
graph everywhere and all that was measured together with it."""
LEFT_OUT: tuple[LeftOut, ...] = get_args(LeftOut)

FOLDS: Mapping[LeftOut, int] = {"graph": 20, "graph on device": 10, "device": 10, "graph and session": 3}
"""Numbers of folds; of graphs and of sessions each where both are left out."""
FEW_FOLDS: Mapping[LeftOut, int] = {"graph": 3, "graph on device": 2, "device": 2, "graph and session": 2}
"""Of a check that takes seconds."""


@dataclass(frozen=True)
class CrossValidation:
    """Predictions of measurements by fits that did not see them."""

    predicted: tuple[RowPrediction, ...]
    """One per row."""
    points: Points
    """Of the rows, by the same fits."""
    regimes: tuple[Regime, ...]
    """What evidence the prediction of each row rests on."""


def group_names(rows: Sequence[Row], graphs: Mapping[str, Features], left_out: LeftOut) -> list[str]:
    """Returns what is left out together with each row; a graph is its model at all sizes, and those alike."""
    same = same_graphs(graphs)
    name: Mapping[LeftOut, Callable[[Row], str]] = {
        "graph": lambda row: same[row.model],
        "graph on device": lambda row: f"{same[row.model]}|{row.configuration.device}",
        "device": lambda row: row.configuration.device,
        "graph and session": lambda row: same[row.model],
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
    folds: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CrossValidation:
    """Predicts each row with a fit to the rows of other folds, and an interval from the errors in other folds.

    Args:
        rows: Measurements, each with its graph among ``graphs``.
        graphs: Features by name of graph.
        left_out: What is left out together with a row.
        folds: Number of folds.
        progress: Called with the numbers of fits done and of all.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    x = matrix(rows, graphs)
    times = np.empty_like(x)
    log_p = np.full(len(rows), math.nan)
    bases: list[Basis | None] = [None] * len(rows)
    part = np.empty(len(rows), dtype=np.int64)
    parts = list(_parts(rows, graphs, left_out, folds))
    for number, (inside, outside) in enumerate(parts):
        judged = [rows[at] for at in inside]
        model = fit_rows([rows[at] for at in outside], graphs, {row.configuration for row in judged})
        part[inside], log_p[inside] = number, predict_rows(model, judged, graphs)
        times[inside] = feature_times(model, judged, graphs)
        for at in inside:
            bases[at] = basis(model, rows[at].configuration)
        progress(number + 1, len(parts))
    errors = np.log([row.latency_ms for row in rows]) - log_p
    found = [each for each in bases if each is not None]
    predicted = _with_intervals(rows, log_p, errors, part, found)
    return CrossValidation(predicted, points(x, times), tuple(each.regime for each in found))


def _parts(
    rows: Sequence[Row], graphs: Mapping[str, Features], left_out: LeftOut, folds: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yields indices of the rows to predict, and of those to fit to, which share nothing that is left out."""
    fold = np.array(fold_of(group_names(rows, graphs, left_out), folds))
    if left_out == "graph and session":
        session = np.array(fold_of(["|".join(row.configuration.groups()["session"]) for row in rows], folds))
    else:
        session = fold
    for number, other in sorted(set(zip(fold.tolist(), session.tolist(), strict=True))):
        inside = (fold == number) & (session == other)
        yield np.flatnonzero(inside), np.flatnonzero((fold != number) & (session != other))


def _with_intervals(
    rows: Sequence[Row], log_p: Array, errors: Array, fold: NDArray[np.int64], bases: Sequence[Basis]
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
