"""The cost model of published measurements: features of graphs, levels of configurations, and their fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgevit.devices.coefficients import CostModel, devices_of_kernels, evidence_counts
from edgevit.devices.evidence import Row
from edgevit.devices.features import FEATURES, for_batch
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

_FAMILIES = (
    ("macs_conv_kxk", "macs_conv_3x3", "macs_stem", "macs_conv_1x1", "macs_grouped", "macs_padded"),
    ("macs_depthwise_3", "macs_depthwise_large", "moved_depthwise"),
    ("macs_linear", "macs_attention", "moved_linear", "moved_attention"),
    ("weights_conv", "weights_linear", "weights_classifier", "moved_dense"),
    (
        "moved_normalization", "moved_softmax", "moved_heavy_activation", "moved_light_activation",
        "moved_elementwise", "moved_pooling", "moved_layout",
    ),
    tuple(name for name in FEATURES if name.startswith("kernels_")),
    ("constant",),
)  # fmt: skip
FAMILY_OF = tuple(next(at for at, family in enumerate(_FAMILIES) if name in family) for name in FEATURES)
"""Family of each feature, in the order of ``FEATURES``."""

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
    batches = np.array([row.configuration.batch for row in rows])
    worked = np.stack([for_batch(row, int(batch)) for row, batch in zip(x, batches, strict=True)])
    fitted = fit(Problem(worked, log_t, group), LEVELS, FAMILY_OF, iterations=_ITERATIONS)
    left = fit_like_graphs(x, log_t - fitted.predict(worked, group), group)
    return CostModel(fitted, left, IntervalTable({}), {}, evidence_counts(rows), devices_of_kernels(rows))


def predict_rows(model: CostModel, rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    """Returns the logarithm of the predicted latency in ms of each row [rows]; their latencies are not read.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    return np.array([model.log_ms(np.array(graphs[row.graph]), row.configuration) for row in rows])
