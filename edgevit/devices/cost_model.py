"""The cost model of published measurements: features of graphs, levels of configurations, and their fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgevit.devices.coefficients import Coefficients, CostModel, devices_of_kernels, evidence_counts
from edgevit.devices.evidence import Configuration, Row
from edgevit.devices.features import FAMILY_OF, FEATURES, for_batch
from edgevit.devices.fitted import Array
from edgevit.devices.graph_table import Features
from edgevit.devices.hierarchical import Level, Problem, fit
from edgevit.devices.interval_table import IntervalTable, Regime
from edgevit.devices.like_graphs import fit_like_graphs

_UNIT = Level("unit", "feature", 0.02, 0.4)
_RUNTIMES = (
    Level("family", "feature", 0.02, 0.5),
    Level("kernels", "feature", 0.02, 0.5),
)
_OTHERS = (
    Level("runtime", "feature", 0.02, 0.5),
    Level("threads", "family", 0.03, 0.3),
    Level("unit architecture", "family", 0.05, 0.3),
    Level("kernels architecture", "feature", 0.05, 0.1),
    Level("unit device", "family", 0.05, 0.3),
    Level("kernels device", "feature", 0.05, 0.1),
    Level("configuration", "family", 0.05, 0.3),
    Level("session", "family", 0.1, 1.0),
)
LEVELS: Mapping[Regime, Sequence[Level]] = {
    "measured": (_UNIT, *_OTHERS),
    "not measured": (_UNIT, *_RUNTIMES, *_OTHERS),
}
"""Of the fit of each regime, from the most general to the most particular; groups are those of ``Configuration.groups``.

A unit that was never measured has nothing of its own, and what a runtime family costs on all devices tells the order of
networks there. One that was is predicted better without: with these levels, 42 instead of 50 % of the rows of the Jetson
Orin Nano are within 20 %, with their graph left out.
"""

_ITERATIONS = 50


def matrix(rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the features of each row for one image [rows, features].

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    return np.array([graphs[row.graph] for row in rows], dtype=np.float64).reshape(len(rows), len(FEATURES))


def groups(rows: Sequence[Row]) -> dict[str, list[tuple[str, ...]]]:
    """Returns the group of each row by level."""
    found = [row.configuration.groups() for row in rows]
    return {name: [group[name] for group in found] for name in (found[0] if found else ())}


def fit_rows(
    rows: Sequence[Row], graphs: Mapping[str, Features], predicted: Iterable[Configuration] | None = None
) -> CostModel:
    """Fits the model to measurements; what is known of intervals is empty.

    Args:
        rows: Measurements, at least one.
        graphs: Features by name of graph.
        predicted: What is to be predicted; coefficients of other regimes are not fitted. None is any configuration.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    evidence = CostModel({}, IntervalTable({}), {}, evidence_counts(rows), devices_of_kernels(rows))
    needed = LEVELS if predicted is None else {evidence.regime(configuration) for configuration in predicted}
    return replace(evidence, coefficients={regime: _fit(rows, graphs, regime) for regime in sorted(needed)})


def _fit(rows: Sequence[Row], graphs: Mapping[str, Features], regime: Regime) -> Coefficients:
    log_t = np.log([row.latency_ms for row in rows])
    x, group = matrix(rows, graphs), groups(rows)
    worked = _worked(rows, graphs)
    fitted = fit(Problem(worked, log_t, group), LEVELS[regime], FAMILY_OF, iterations=_ITERATIONS)
    left = fit_like_graphs(x, log_t - fitted.predict(worked, group), group)
    found = Coefficients(fitted, left)
    return found if regime == "measured" else found.shared()


def predict_rows(model: CostModel, rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the logarithm of the predicted latency in ms of each row [rows]; their latencies are not read.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    log_ms: Array = np.log(feature_times(model, rows, graphs).sum(axis=1))
    for found, at in _by_coefficients(model, rows):
        chosen = [rows[index] for index in at]
        log_ms[at] += found.like_graphs.corrections(matrix(chosen, graphs), groups(chosen))
    return log_ms


def feature_times(model: CostModel, rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the time of each feature of each row in ms [rows, features], before what like graphs correct.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    times = np.empty((len(rows), len(FEATURES)))
    for found, at in _by_coefficients(model, rows):
        chosen = [rows[index] for index in at]
        times[at] = found.fitted.times(_worked(chosen, graphs), groups(chosen))
    return times


def _by_coefficients(model: CostModel, rows: Sequence[Row]) -> Iterator[tuple[Coefficients, list[int]]]:
    """Yields the coefficients of each regime with the indices of the rows that they predict."""
    regimes = [model.regime(row.configuration) for row in rows]
    for regime in dict.fromkeys(regimes):
        yield model.coefficients[regime], [at for at, of_row in enumerate(regimes) if of_row == regime]


def _worked(rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the features of each row for its batch [rows, features]."""
    batches = [row.configuration.batch for row in rows]
    of_batch = [for_batch(row, batch) for row, batch in zip(matrix(rows, graphs), batches, strict=True)]
    return np.array(of_batch).reshape(len(rows), len(FEATURES))
