"""Corrects predicted amounts by what was measured: factors that belong to parts of a point, with the spread that remains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Parts = Mapping[str, float]
"""By name, how much of a part a point has: 1 where it has it."""


@dataclass(frozen=True)
class Prior:
    """What is assumed before anything is measured."""

    means: Mapping[str, float]
    """Logarithm of the factor of parts; 0 of those that are not named."""
    spread: float
    """Standard deviation of the logarithm of an error."""
    freedom: float = 4.0
    """Measurements that the assumed spread counts as."""
    part_spread: float = 1.0
    """Standard deviation of the logarithm of a factor, as a multiple of ``spread``."""


@dataclass(frozen=True)
class Corrected:
    """An amount with its 80 % interval."""

    value: float
    low: float
    high: float


class Factors:
    """Bayesian linear regression of log(measured / predicted) on the parts of points, with unknown spread.

    Conjugate normal-inverse-gamma prior; predictions are Student-t (Gelman et al., "Bayesian Data Analysis", 3rd edition, 14).
    """

    def __init__(self, prior: Prior, parts: Sequence[Parts], logarithms: Sequence[float]) -> None:
        """Fits the factors.

        Args:
            prior: See :class:`Prior`.
            parts: Of each point that was measured.
            logarithms: log(measured / predicted) of each, finite.
        """
        self._prior = prior
        self._names = sorted({name for each in parts for name in each})
        design = np.array([self._row(each) for each in parts]).reshape(len(parts), len(self._names))
        means = np.array([prior.means.get(name, 0.0) for name in self._names])
        precision = np.eye(len(self._names)) / prior.part_spread**2
        left = np.array(logarithms) - design @ means
        self._covariance = np.linalg.inv(precision + design.T @ design)
        shift = self._covariance @ (design.T @ left)
        self._weights = means + shift
        self._freedom = prior.freedom + len(parts)
        misfit = float(left @ left - shift @ (precision + design.T @ design) @ shift)
        self._variance = (prior.freedom * prior.spread**2 + max(0.0, misfit)) / self._freedom

    def correct(self, predicted: float, parts: Parts) -> Corrected:
        """Returns a predicted amount with the factors of its parts, and its 80 % interval."""
        from scipy.special import stdtrit

        row = self._row(parts)
        new = {name: amount for name, amount in parts.items() if name not in self._names}
        mean = float(row @ self._weights) + sum(
            self._prior.means.get(name, 0.0) * amount for name, amount in new.items()
        )
        unknown = float(row @ self._covariance @ row)
        unknown += self._prior.part_spread**2 * sum(amount**2 for amount in new.values())
        half = float(stdtrit(self._freedom, 0.9)) * math.sqrt(self._variance * (1 + unknown))
        return Corrected(
            predicted * math.exp(mean), predicted * math.exp(mean - half), predicted * math.exp(mean + half)
        )

    def _row(self, parts: Parts) -> np.ndarray:
        return np.array([parts.get(name, 0.0) for name in self._names])
