"""Non-negative least squares for each configuration by itself: the check beside the cost model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import nnls

from edgevit.devices.cost_model import matrix
from edgevit.devices.evidence import Row
from edgevit.devices.features import FEATURES, for_batch
from edgevit.devices.fitted import Array
from edgevit.devices.graph_table import Features

_FEWEST_ROWS = 6
_ROUNDS = 8
_LEAST_RESIDUAL = 0.03


def left_out_least_squares(rows: Sequence[Row], graphs: Mapping[str, Features], left_out_with: Sequence[str]) -> Array:
    """Predicts each row by ``a MACs + b values moved + c``, fitted to the other graphs of its configuration.

    Args:
        rows: Measurements.
        graphs: Features by name of graph.
        left_out_with: Name of what is left out together with each row.

    Returns:
        Logarithms of the predicted latencies in ms [rows]; NaN where the configuration has fewer than six other rows.

    Raises:
        KeyError: the graph of a row is not among ``graphs``.
    """
    terms, measured = _terms(_worked(rows, graphs)), np.array([row.latency_ms for row in rows])
    names = np.array(left_out_with)
    predicted = np.full(len(rows), np.nan)
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        alike[row.configuration.groups()["configuration"]].append(at)
    for members in map(np.array, alike.values()):
        for name in sorted(set(names[members])):
            inside, outside = members[names[members] == name], members[names[members] != name]
            if len(outside) >= _FEWEST_ROWS:
                costs = _fit(terms[outside], measured[outside])
                predicted[inside] = np.log(np.maximum(terms[inside] @ costs, 1e-4))
    return predicted


def _worked(rows: Sequence[Row], graphs: Mapping[str, Features]) -> Array:
    x = matrix(rows, graphs)
    return np.stack([for_batch(line, row.configuration.batch) for line, row in zip(x, rows, strict=True)])


def _terms(x: Array) -> Array:
    """Returns MACs, values moved and one [rows, 3]."""
    names = [name.partition("_")[0] if name != "macs_padded" else "" for name in FEATURES]
    return np.stack([x[:, [name == kind for name in names]].sum(axis=1) for kind in ("macs", "moved", "constant")], 1)


def _fit(terms: Array, measured: Array) -> Array:
    """Minimizes the relative error, weighted towards its median."""
    typical = np.array([np.median(column[column > 0]) if (column > 0).any() else 1.0 for column in terms.T])
    relative, weights = terms / typical / measured[:, None], np.ones(len(measured))
    costs = np.zeros(terms.shape[1])
    for _ in range(_ROUNDS):
        costs = nnls(relative * weights[:, None], weights)[0]
        weights = 1 / np.sqrt(np.maximum(np.abs(relative @ costs - 1), _LEAST_RESIDUAL))
    result: Array = costs / typical
    return result
