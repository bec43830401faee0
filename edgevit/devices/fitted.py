"""Coefficients of the cost model, and predictions from them. Needs NumPy alone."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """Coefficients: ``base`` [features], offsets [features] by level and group; of features divided by ``unit``."""

    unit: Array
    base: Array
    offsets: Mapping[str, Mapping[Hashable, Array]]

    def log_costs(self, groups: Mapping[str, Hashable]) -> Array:
        """Returns the logarithm of the cost in ms of one ``unit`` of each feature [features]; unknown groups add 0."""
        costs = self.base.copy()
        for level, group in groups.items():
            offset = self.offsets.get(level, {}).get(group)
            if offset is not None:
                costs += offset
        return costs

    def predict(self, x: Array, groups: Mapping[str, Sequence[Hashable]]) -> Array:
        """Returns log ms [rows] for features [rows, features]."""
        log_ms: Array = np.log(self.times(x, groups).sum(axis=1))
        return log_ms

    def times(self, x: Array, groups: Mapping[str, Sequence[Hashable]]) -> Array:
        """Returns ms by feature [rows, features] for features [rows, features]."""
        keyed = list(zip(*groups.values(), strict=True)) if groups else [()] * len(x)
        costs = {key: np.exp(self.log_costs(dict(zip(groups, key, strict=True)))) for key in dict.fromkeys(keyed)}
        times: Array = x / self.unit * np.array([costs[key] for key in keyed]).reshape(x.shape)
        return times
