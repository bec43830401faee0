"""Costs of features from times: the most probable ones, given what kernels cost beside each other on any processor.

The logarithm of a time is that of a sum of features, each with a positive cost ``prior * exp(d)``. Small ``d`` are more
probable than large ones, so that what the times do not tell apart stays in proportion, rather than at zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevit.devices.calibration.prior import prior_cost

Array = NDArray[np.float64]

SPREAD = 1.0
"""Standard deviation of ``d`` that is expected: costs between 1/3 and 3 times the prior one are usual."""
NOISE = 0.08
"""Of the logarithm of a time that is as the model has it."""
_ROUNDS = 30
_MOST_STEP = 0.7
"""Of ``d`` in one round."""
_ROBUST = 2.0
"""Errors beyond this many times the noise count less."""


@dataclass(frozen=True)
class Costs:
    """What was found."""

    names: tuple[str, ...]
    costs: Array
    """Of each feature, in times of the reference network."""
    covariance: Array
    """Of the logarithms of the costs [features, features]."""

    def predict(self, features: Mapping[str, float]) -> tuple[float, float]:
        """Returns the logarithm of a time, in times of the reference network, and its standard deviation.

        Features that no network had cost what they do anywhere.
        """
        unknown = {name: value * prior_cost(name) for name, value in features.items() if name not in self.names}
        parts = np.array([features.get(name, 0.0) for name in self.names]) * self.costs
        total = float(parts.sum()) + sum(unknown.values())
        shares = parts / total
        variance = float(shares @ self.covariance @ shares)
        variance += SPREAD**2 * sum((value / total) ** 2 for value in unknown.values())
        return float(np.log(total)), float(np.sqrt(variance))


def fit_costs(
    rows: Sequence[Mapping[str, float]], times: Sequence[float], counts: Sequence[float] | None = None
) -> Costs:
    """Fits costs.

    Args:
        rows: Features of each network.
        times: Of each network, in times of the reference network.
        counts: How much each network counts; each as much as the others when None.
    """
    names = tuple(sorted({name for row in rows for name in row}))
    x = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    y, prior = np.log(np.asarray(times, dtype=np.float64)), np.log([prior_cost(name) for name in names])
    counted = np.ones(len(y)) if counts is None else np.asarray(counts, dtype=np.float64)
    d = np.zeros(len(names))
    weights = np.ones(len(y))
    hessian = np.eye(len(names))
    for _ in range(_ROUNDS):
        parts = x * np.exp(prior + d)
        total = parts.sum(axis=1)
        shares, error = parts / total[:, None], y - np.log(total)
        weights = counted / np.maximum(1.0, np.abs(error) / (_ROBUST * NOISE))
        scaled = shares * (weights / NOISE**2)[:, None]
        hessian = scaled.T @ shares + np.eye(len(names)) / SPREAD**2
        step = np.linalg.solve(hessian, scaled.T @ error - d / SPREAD**2)
        d = d + step * min(1.0, _MOST_STEP / max(1e-9, float(np.abs(step).max())))
    covariance: Array = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
    return Costs(names, np.exp(prior + d), covariance)
