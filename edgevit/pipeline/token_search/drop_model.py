"""How likely a plan is to hold: its drop is guessed from its divergence, by what plans before it lost.

The drop is taken to grow linearly with divergence, with chance on top: few images change sides, so that plans that do
about the same lose by chance more or less than the limit. Plans with sites in the same blocks share a part of it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

_POINTS = np.array([0.3, 20.0])
"""Of drop at no divergence and for each nat, before any plan was tried: about what ImageNet models lose."""
_POINTS_DEVIATION = np.array([0.3, 15.0])
_CHANGED_SHARE = 0.02
"""Of the images, which change sides under a plan that about holds; their net is what chance makes of it."""
_PRIOR_PLANS = 4.0
"""Plans after which the chance that was seen counts as much as the chance that was expected."""


@dataclass(frozen=True)
class Lost:
    """What a plan lost."""

    divergence: float
    """In nats."""
    shape: Hashable
    """Plans with the same have their sites in the same blocks."""
    drop_points: float


@dataclass(frozen=True)
class DropModel:
    """Drops of plans that were tried, on some images."""

    lost: tuple[Lost, ...]
    samples: int
    """Images that a drop is a share of."""

    def chance_to_hold(
        self, divergences: np.ndarray, shapes: Sequence[Hashable], limit_points: float | np.ndarray
    ) -> np.ndarray:
        """Returns the probabilities that plans lose no more than a limit, float64 [plans].

        Args:
            divergences: Of the plans in nats, float64 [plans].
            shapes: Of the plans.
            limit_points: Largest drop allowed, in percentage points; of all plans, or float64 [plans].
        """
        chance = 100 * math.sqrt(_CHANGED_SHARE / self.samples)
        factors, covariance = self._line(chance)
        residuals = [each.drop_points - float(_columns(each.divergence) @ factors) for each in self.lost]
        squares = _PRIOR_PLANS * chance**2 + sum(residual**2 for residual in residuals)
        chance = math.sqrt(squares / (_PRIOR_PLANS + len(residuals)))
        by_shape: dict[Hashable, list[float]] = {}
        for each, residual in zip(self.lost, residuals, strict=True):
            by_shape.setdefault(each.shape, []).append(residual)
        shared = {shape: sum(found) / (len(found) + 1) for shape, found in by_shape.items()}
        columns = _columns(divergences)
        expected = columns @ factors + np.array([shared.get(shape, 0.0) for shape in shapes])
        deviation = np.sqrt(chance**2 + ((columns @ covariance) * columns).sum(axis=-1))
        return _normal((limit_points - expected) / deviation)

    def _line(self, chance: float) -> tuple[np.ndarray, np.ndarray]:
        """Points at no divergence and for each nat, float64 [2], and their covariance, float64 [2, 2]."""
        precision = np.diag(_POINTS_DEVIATION**-2.0)
        weighted = precision @ _POINTS
        for each in self.lost:
            column = _columns(each.divergence)
            precision = precision + np.outer(column, column) / chance**2
            weighted = weighted + column * each.drop_points / chance**2
        covariance = np.linalg.inv(precision)
        return covariance @ weighted, covariance


def _columns(divergences: float | np.ndarray) -> np.ndarray:
    """1 and the divergence, float64 [..., 2]."""
    return np.stack(np.broadcast_arrays(1.0, divergences), axis=-1)


def _normal(deviations: np.ndarray) -> np.ndarray:
    """Distribution function of the standard normal distribution, by its logistic approximation."""
    scaled = np.clip(1.5976 * deviations + 0.070565992 * deviations**3, -500, 500)
    result: np.ndarray = 1 / (1 + np.exp(-scaled))
    return result
