"""What a divergence costs in points: a rising map, fitted to the candidates that were evaluated.

Where the drop of what a point is made from is known, only what comes on top is predicted, by a straight line: the images
that a token plan loses are mostly those that it loses in int8, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgevit.search.factors import Corrected

POINTS_PER_NAT = 20.0
"""Assumed where nothing is known: 0.1 nats cost ViT-Tiny and MobileNetV2 about two points."""
_ASSUMED = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Nats at which this is assumed, with little weight."""
_ASSUMED_WEIGHT = 0.2
_SLOPE_SPREAD, _SLOPE_NOISE = 8.0, 1.0
"""Standard deviations of points for each nat, and of a drop, in points: two runs of ViT-Tiny and one of MobileNetV2 had 11 to 20 points a nat."""
_FREEDOM = 4.0
"""Measurements that the assumed spread counts as."""


@dataclass(frozen=True)
class Base:
    """What a point is made from, and what is known of it."""

    divergence: float
    """In nats."""
    drop: float
    """On the images that points are judged on."""


class DropMap:
    """Isotonic regression of drops on divergences, with the spread that remains.

    The spread grows with the square root of the divergence, as that of a count of images that change their class.
    """

    def __init__(
        self,
        divergences: Sequence[float],
        drops: Sequence[float],
        noise_points: float,
        bases: Sequence[Base | None] | None = None,
    ) -> None:
        """Fits the map.

        Args:
            divergences: In nats, ≥ 0, of what was evaluated.
            drops: In percentage points, or the unit of the metric.
            noise_points: Standard deviation of a drop that the number of images alone causes, at 0.1 nats.
            bases: Of each, as known before it was evaluated; none when None.
        """
        from scipy.optimize import isotonic_regression

        nats = np.array([0.0, *_ASSUMED, *divergences])
        points = np.array([0.0, *(POINTS_PER_NAT * each for each in _ASSUMED), *drops])
        weights = np.array([1.0, *[_ASSUMED_WEIGHT] * len(_ASSUMED), *[1.0] * len(drops)])
        order = np.argsort(nats, kind="stable")
        self._nats = nats[order]
        self._points = isotonic_regression(points[order], weights=weights[order]).x
        self._noise = noise_points
        x, y = np.array(divergences), np.array(drops)
        prior = (_SLOPE_NOISE / _SLOPE_SPREAD) ** 2
        self._points_per_nat = float((x @ y + prior * POINTS_PER_NAT) / (x @ x + prior))
        known = bases if bases is not None else [None] * len(drops)
        left = np.array(
            [
                (drop - self._expected(np.array(each), base)) / _scale(_on_top(each, base))
                for each, drop, base in zip(divergences, drops, known, strict=True)
            ]
        )
        self._freedom = _FREEDOM + len(drops)
        self._variance = (_FREEDOM * noise_points**2 + float(left @ left)) / self._freedom

    def drop(self, divergence: Corrected, base: Base | None = None) -> Corrected:
        """Returns the drop of a predicted divergence, with its 80 % interval.

        Args:
            divergence: Of the point, all that was done to the model.
            base: What it is made from; None where nothing of it is known.
        """
        from scipy.special import stdtrit

        nats = np.array([divergence.value, divergence.low, divergence.high])
        value, low, high = self._expected(nats, base)
        half = float(stdtrit(self._freedom, 0.9)) * np.sqrt(self._variance) * _scale(_on_top(nats[0], base))
        # the two errors are independent
        return Corrected(
            float(value), float(value - np.hypot(value - low, half)), float(value + np.hypot(high - value, half))
        )

    def _expected(self, nats: np.ndarray, base: Base | None) -> np.ndarray:
        if base is None:
            return self._drop(nats)
        return base.drop + self._points_per_nat * (nats - base.divergence)

    def _drop(self, nats: np.ndarray) -> np.ndarray:
        beyond = np.maximum(0.0, nats - self._nats[-1]) * POINTS_PER_NAT
        return np.asarray(np.interp(nats, self._nats, self._points) + beyond)


def _on_top(nats: float, base: Base | None) -> float:
    """Divergence whose drop is not known."""
    return nats if base is None else abs(nats - base.divergence)


def _scale(nats: float) -> float:
    return math.sqrt((0.02 + nats) / 0.12)
