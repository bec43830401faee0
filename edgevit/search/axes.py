"""The objectives of a search as numbers that are to be small, and the worst of each that counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgevit.results.search import Objective
from edgevit.search.proxy import Amounts, Predicted

_Z = 1.2815515594
"""Standard normal quantile of the ends of an 80 % interval."""


@dataclass(frozen=True)
class Axes:
    """What points are compared in."""

    objectives: tuple[Objective, ...]
    losses: Mapping[str, float]
    """By model: how much less its float model reaches than the best one of the search, in points or the unit of the metric."""
    reference: np.ndarray
    """Worst value of each objective that counts, float64 [objectives]: loss against the best float model, ms, bytes."""

    @property
    def box(self) -> float:
        """Volume that a point without loss, time and size would dominate."""
        return float(np.prod(self.reference))

    def of(self, model: str, drop: float, ms: float | None, size: float) -> np.ndarray:
        """Returns a point of a model, float64 [objectives]; infinitely slow where it was not timed."""
        values = {"top1": self.losses[model] + drop, "p50_ms": np.inf if ms is None else ms, "size": size}
        return np.array([values[name] for name in self.objectives])

    def measured(self, model: str, amounts: Amounts) -> np.ndarray:
        """Returns a point that was made, float64 [objectives]."""
        return self.of(model, amounts.drop, amounts.ms, amounts.bytes)

    def expected(self, model: str, predicted: Predicted) -> np.ndarray:
        """Returns the middle of a prediction, float64 [objectives]."""
        return self.of(model, predicted.drop.value, predicted.ms.value, predicted.bytes.value)

    def best_case(self, model: str, predicted: Predicted) -> np.ndarray:
        """Returns the best ends of the 80 % intervals of a prediction, float64 [objectives]."""
        return self.of(model, predicted.drop.low, predicted.ms.low, predicted.bytes.low)

    def draws(self, model: str, predicted: Predicted, normals: np.ndarray) -> np.ndarray:
        """Returns values that a point may have, float64 [draws, objectives].

        Args:
            model: Of the point.
            predicted: What is expected of it.
            normals: Standard normal, float64 [draws, 3]: of drop, latency and size.
        """
        amounts = []
        for each, column in zip((predicted.drop, predicted.ms, predicted.bytes), normals.T, strict=True):
            below, above = (each.value - each.low) / _Z, (each.high - each.value) / _Z
            amounts.append(each.value + column * np.where(column < 0, below, above))
        return np.array([self.of(model, *row) for row in np.stack(amounts, axis=1)])
