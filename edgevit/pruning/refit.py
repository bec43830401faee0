"""The weights of a layer that are left, fitted by least squares to what it gave with all its inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from edgevit.pruning.gram import Moments

RIDGE = 1e-7
"""Of the mean variance of the inputs: enough for units that depend on each other, and too little to be seen."""


@dataclass(frozen=True)
class Reader:
    """Weights of the layer that reads units."""

    weight: np.ndarray
    """float64 [outputs, inputs]."""
    bias: np.ndarray
    """float64 [outputs]."""


def damped(moments: Moments) -> np.ndarray:
    """Returns the covariance of inputs with the ridge on its diagonal, float64 [inputs, inputs]; never singular."""
    return moments.covariance + ridge_of(moments.covariance) * np.eye(len(moments.mean))


def ridge_of(covariance: np.ndarray) -> float:
    """Returns what is added to the variances of inputs, given their covariance, float64 [inputs, inputs]."""
    return RIDGE * float(covariance.diagonal().mean()) or 1.0  # inputs that are all constant are as good as any


def refit(reader: Reader, moments: Moments, kept: list[int]) -> Reader:
    """Returns the weights for some of the inputs with which a layer gives what it did with all, but for the least squared error.

    Ridge regression on the inputs without their mean; the mean of what leaves goes into the bias.

    Args:
        reader: The layer.
        moments: Of all its inputs.
        kept: Places of the inputs that stay, in their order.
    """
    covariance = damped(moments)
    solved = cho_solve(cho_factor(covariance[np.ix_(kept, kept)]), covariance[kept] @ reader.weight.T)
    weight = solved.T
    return Reader(weight, reader.bias + reader.weight @ moments.mean - weight @ moments.mean[kept])
