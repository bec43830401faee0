"""What a divergence costs in points: a rising map, fitted to the candidates that were evaluated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgevit.search.factors import Corrected

POINTS_PER_NAT = 20.0
"""Assumed where nothing is known: 0.1 nats cost ViT-Tiny and MobileNetV2 about two points."""
_ASSUMED = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Nats at which this is assumed, with little weight."""
_ASSUMED_WEIGHT = 0.2
_FREEDOM = 4.0
"""Measurements that the assumed spread counts as."""


class DropMap:
    """Isotonic regression of drops on divergences, with the spread that remains.

    The spread grows with the square root of the divergence, as that of a count of images that change their class.
    """

    def __init__(self, divergences: Sequence[float], drops: Sequence[float], noise_points: float) -> None:
        """Fits the map.

        Args:
            divergences: In nats, ≥ 0, of what was evaluated.
            drops: In percentage points, or the unit of the metric.
            noise_points: Standard deviation of a drop that the number of images alone causes, at 0.1 nats.
        """
        from scipy.optimize import isotonic_regression

        nats = np.array([0.0, *_ASSUMED, *divergences])
        points = np.array([0.0, *(POINTS_PER_NAT * each for each in _ASSUMED), *drops])
        weights = np.array([1.0, *[_ASSUMED_WEIGHT] * len(_ASSUMED), *[1.0] * len(drops)])
        order = np.argsort(nats, kind="stable")
        self._nats = nats[order]
        self._points = isotonic_regression(points[order], weights=weights[order]).x
        self._noise = noise_points
        left = (np.array(drops) - self._drop(np.array(divergences))) / _scale(np.array(divergences))
        self._freedom = _FREEDOM + len(drops)
        self._variance = (_FREEDOM * noise_points**2 + float(left @ left)) / self._freedom

    def drop(self, divergence: Corrected) -> Corrected:
        """Returns the drop of a predicted divergence, with its 80 % interval."""
        from scipy.special import stdtrit

        nats = np.array([divergence.value, divergence.low, divergence.high])
        value, low, high = self._drop(nats)
        half = float(stdtrit(self._freedom, 0.9)) * np.sqrt(self._variance) * _scale(nats[0])
        # the two errors are independent
        return Corrected(
            float(value), float(value - np.hypot(value - low, half)), float(value + np.hypot(high - value, half))
        )

    def _drop(self, nats: np.ndarray) -> np.ndarray:
        beyond = np.maximum(0.0, nats - self._nats[-1]) * POINTS_PER_NAT
        return np.asarray(np.interp(nats, self._nats, self._points) + beyond)


def _scale(nats: np.ndarray) -> np.ndarray:
    return np.sqrt((0.02 + nats) / 0.12)
