"""The cost model of published measurements: features of graphs, levels of configurations, and their fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgevit.devices.coefficients import CostModel, devices_of_kernels, evidence_counts
from edgevit.devices.evidence import Row
from edgevit.devices.features import FAMILY_OF, FEATURES, for_batch
from edgevit.devices.fitted import Array
from edgevit.devices.graph_table import Features
from edgevit.devices.hierarchical import Level, Problem, fit
from edgevit.devices.interval_table import IntervalTable
from edgevit.devices.like_graphs import fit_like_graphs

LEVELS = (
    Level("unit", "feature", 0.02, 0.4),
    Level("runtime", "feature", 0.02, 0.5),
    Level("threads", "family", 0.03, 0.3),
    Level("unit architecture", "family", 0.05, 0.3),
    Level("kernels architecture", "feature", 0.05, 0.1),
    Level("unit device", "family", 0.05, 0.3),
    Level("kernels device", "feature", 0.05, 0.1),
    Level("configuration", "family", 0.05, 0.3),
    Level("session", "family", 0.1, 1.0),
)
"""From the most general to the most particular; their groups are those of ``Configuration.groups``."""

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


def fit_rows(rows: Sequence[Row], graphs: Mapping[str, Features]) -> CostModel:
    """Fits the model to measurements; what is known of intervals is empty.

    Args:
        rows: Measurements, at least one.
        graphs: Features by name of graph.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    log_t = np.log([row.latency_ms for row in rows])
    x, group = matrix(rows, graphs), groups(rows)
    worked = _worked(rows, graphs)
    fitted = fit(Problem(worked, log_t, group), LEVELS, FAMILY_OF, iterations=_ITERATIONS)
    left = fit_like_graphs(x, log_t - fitted.predict(worked, group), group)
    return CostModel(fitted, left, IntervalTable({}), {}, evidence_counts(rows), devices_of_kernels(rows))


def predict_rows(model: CostModel, rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the logarithm of the predicted latency in ms of each row [rows]; their latencies are not read.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    times = feature_times(model, rows, graphs)
    log_ms: Array = np.log(times.sum(axis=1)) + model.like_graphs.corrections(matrix(rows, graphs), groups(rows))
    return log_ms


def feature_times(model: CostModel, rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the time of each feature of each row in ms [rows, features], before what like graphs correct.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    return model.fitted.times(_worked(rows, graphs), groups(rows))


def _worked(rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the features of each row for its batch [rows, features]."""
    batches = [row.configuration.batch for row in rows]
    of_batch = [for_batch(row, batch) for row, batch in zip(matrix(rows, graphs), batches, strict=True)]
    return np.array(of_batch).reshape(len(rows), len(FEATURES))
