"""Random values of weights: what they are does not matter to a clock, as long as none is a denormal or overflows."""

from __future__ import annotations

import math

import numpy as np

_COUNT = 65_521
"""Values that are drawn, and repeated; a prime, so that rows differ."""


_STEP = 7_919
"""Between the first values of two weights."""


class Values:
    """Makes weights, the same ones in each process; no two are equal, for runtimes compute equal layers of one tensor once."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self._floats = random.standard_normal(_COUNT, dtype=np.float32)
        self._int8 = random.integers(-127, 128, _COUNT, dtype=np.int8)
        self._made = 0

    def weights(self, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
        """Returns weights, float32 [*shape], that keep the size of what they multiply."""
        return np.resize(self._next(self._floats) * np.float32(1 / math.sqrt(fan_in)), shape)

    def row(self, shape: tuple[int, ...], around: float = 0.0) -> np.ndarray:
        """Returns biases or gains, float32 [*shape], that differ: a runtime leaves out what adds nothing, or is uniform."""
        return np.resize(np.float32(around) + np.float32(0.02) * self._floats, shape)

    def int8(self, shape: tuple[int, ...]) -> np.ndarray:
        """Returns weights, int8 [*shape]."""
        return np.resize(self._next(self._int8), shape)

    def _next(self, values: np.ndarray) -> np.ndarray:
        self._made += 1
        return np.roll(values, self._made * _STEP)
