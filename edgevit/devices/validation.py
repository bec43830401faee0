"""What predictions are worth: errors, intervals and order of models, by device and unit."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from edgevit.devices.evidence import Row

_FEWEST_IN_ORDER = 4


@dataclass(frozen=True)
class RowPrediction:
    """Prediction for one measurement."""

    id: str
    p50: float
    """ms."""
    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Unmapped:
    """A measurement that could not be predicted."""

    id: str
    reason: str


@dataclass(frozen=True)
class Score:
    """Errors of predictions, relative to the measured latency."""

    device: str
    unit: str
    n: int
    median_error: float
    mean_error: float
    within_10: float
    """Share of rows."""
    within_20: float
    coverage: float
    """Share of rows whose latency lies in the interval."""
    interval_factor: float
    """Median of high / p50."""
    tau: float | None
    """Mean over sessions of Kendall's tau-b of predicted and measured latencies; None where none has four models."""
    least_squares: float | None = None
    """Median error of non-negative least squares on the rows that it can predict; None where there are none."""


@dataclass(frozen=True)
class AnchoredScore:
    """Errors of predictions for a device that was not measured, with some measurements of other networks there."""

    anchors: int
    """Number of measurements."""
    n: int
    median_error: float
    within_20: float
    """Share of rows."""
    coverage: float
    """Share of rows whose latency lies in the interval."""
    interval_factor: float
    """Median of high / p50."""


def anchored_score(anchors: int, rows: Mapping[str, Row], predicted: Sequence[RowPrediction]) -> AnchoredScore:
    """Scores predictions with anchors.

    Args:
        anchors: Number of anchors.
        rows: Measurements by id.
        predicted: Predictions of some of them, at least one.
    """
    made = score("", "", [(rows[each.id], each) for each in predicted])
    return AnchoredScore(anchors, made.n, made.median_error, made.within_20, made.coverage, made.interval_factor)


def score(
    device: str,
    unit: str,
    predicted: Sequence[tuple[Row, RowPrediction]],
    least_squares: Sequence[float] = (),
) -> Score:
    """Scores predictions.

    Args:
        device: Name for the table.
        unit: Name for the table.
        predicted: Measurements with their predictions, at least one.
        least_squares: Latencies in ms that least squares predicts for them; NaN where it cannot.

    Returns:
        The score.
    """
    errors = [abs(p.p50 - row.latency_ms) / row.latency_ms for row, p in predicted]
    check = [
        abs(other - row.latency_ms) / row.latency_ms
        for (row, _), other in zip(predicted, least_squares, strict=False)
        if not math.isnan(other)
    ]
    n = len(errors)
    return Score(
        device=device,
        unit=unit,
        n=n,
        median_error=median(errors),
        mean_error=sum(errors) / n,
        within_10=sum(error <= 0.1 for error in errors) / n,
        within_20=sum(error <= 0.2 for error in errors) / n,
        coverage=sum(p.low <= row.latency_ms <= p.high for row, p in predicted) / n,
        interval_factor=median(p.high / p.p50 for _, p in predicted),
        tau=mean_tau(predicted),
        least_squares=median(check) if check else None,
    )


def mean_tau(predicted: Iterable[tuple[Row, RowPrediction]]) -> float | None:
    """Returns the mean over sessions of Kendall's tau-b, or None where no session has four models."""
    sessions: dict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    for row, prediction in predicted:
        sessions[row.configuration.groups()["session"]].append((row.latency_ms, prediction.p50))
    taus = [
        tau for pairs in sessions.values() if len(pairs) >= _FEWEST_IN_ORDER and (tau := kendall(pairs)) is not None
    ]
    return sum(taus) / len(taus) if taus else None


def kendall(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Returns Kendall's tau-b of pairs of numbers; None where one of the two is the same in all of them."""
    first, second = (np.sign(np.subtract.outer(values, values)) for values in np.array(pairs).T)
    scale = math.sqrt(np.count_nonzero(first) * np.count_nonzero(second))
    return float((first * second).sum()) / scale if scale else None
