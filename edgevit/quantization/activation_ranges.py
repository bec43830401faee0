"""Ranges of activations from calibration images, one pass, memory independent of their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from edgevit.spec.recipe import RangeMethod

_BINS = 4096
"""Even; half of them below zero."""
_STEPS = 128
"""Positions of each bound that the search for the least squared error tries."""

BINNED: tuple[RangeMethod, ...] = ("mse", "percentile_99.999")
"""Methods that need more of the values than their extremes."""


@dataclass
class Histogram:
    """Counts of values in equal bins around zero; it widens by powers of two as larger values come."""

    limit: float = 0.0
    """Bins cover -limit..limit."""
    counts: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, np.int64))
    """int64 [4096]."""
    low: float = 0.0
    high: float = 0.0
    """Extremes so far, zero included."""
    sum_low: float = 0.0
    sum_high: float = 0.0
    """Sums of each image's extremes."""
    images: int = 0

    def add(self, values: np.ndarray, *, binned: bool) -> None:
        """Counts the values of one image.

        Args:
            values: float array of any shape, finite.
            binned: Whether to fill the bins too, which is slower; the extremes are always kept.
        """
        low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.sum_low, self.sum_high, self.images = self.sum_low + low, self.sum_high + high, self.images + 1
        if binned and (largest := max(-low, high)) > 0:
            self._widen(largest)
            places = (values.ravel() * (_BINS / 2 / self.limit) + _BINS / 2).astype(np.int64)
            self.counts += np.bincount(places.clip(0, _BINS - 1), minlength=_BINS)

    def _widen(self, largest: float) -> None:
        if self.limit == 0:
            self.limit = largest
        while self.limit < largest:
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([np.zeros(_BINS // 4, np.int64), pairs, np.zeros(_BINS // 4, np.int64)])
            self.limit *= 2

    @property
    def centers(self) -> np.ndarray:
        """Middle of each bin, float64 [4096]."""
        return (np.arange(_BINS) + 0.5) * (2 * self.limit / _BINS) - self.limit


def min_max(histogram: Histogram) -> tuple[float, float]:
    """Returns the extremes over all images."""
    return histogram.low, histogram.high


def mean_min_max(histogram: Histogram) -> tuple[float, float]:
    """Returns the mean over the images of each one's extremes, which a single outlier image hardly widens."""
    return histogram.sum_low / histogram.images, histogram.sum_high / histogram.images


def percentile(histogram: Histogram, percent: float) -> tuple[float, float]:
    """Returns the range that excludes ``100 - percent`` percent of the values, half of them at each end.

    Args:
        histogram: With filled bins.
        percent: 0..100.
    """
    cumulative = np.cumsum(histogram.counts)
    if cumulative[-1] == 0:
        return 0.0, 0.0
    tail = cumulative[-1] * (100 - percent) / 200
    edges = np.linspace(-histogram.limit, histogram.limit, _BINS + 1)
    first = int(np.searchsorted(cumulative, tail, side="right"))
    last = int(np.searchsorted(cumulative, cumulative[-1] - tail, side="left"))
    return max(min(edges[first], 0.0), histogram.low), min(max(edges[last + 1], 0.0), histogram.high)


def least_squares(histogram: Histogram, levels: int = 255) -> tuple[float, float]:
    """Returns the range with the least squared error when it is divided into ``levels`` steps.

    Rounding inside a step of width s costs s²/12 for each value, clipping the squared distance to the bound (the model
    of Banner et al., "Post training 4-bit quantization of convolutional networks", 2019); all pairs of bounds on a grid
    are tried.
    """
    total = histogram.counts.sum()
    if total == 0:
        return 0.0, 0.0
    lows = histogram.low * np.arange(1, _STEPS + 1) / _STEPS
    highs = histogram.high * np.arange(1, _STEPS + 1) / _STEPS
    below, above = (
        np.array([(histogram.counts * np.square(np.maximum(distance, 0))).sum() for distance in distances])
        for distances in ([low - histogram.centers for low in lows], [histogram.centers - high for high in highs])
    )
    rounding = total * np.square((highs[None, :] - lows[:, None]) / levels) / 12
    error = rounding + below[:, None] + above[None, :]
    row, column = np.unravel_index(int(error.argmin()), error.shape)
    return float(lows[row]), float(highs[column])


def tensor_ranges(
    images: Iterable[dict[str, np.ndarray]], method: RangeMethod, unclipped: frozenset[str] = frozenset()
) -> dict[str, tuple[float, float]]:
    """Returns the range of each tensor; every range includes zero.

    Args:
        images: For each image, its activations by the tensor's name: float arrays of any shape, finite.
        method: See :data:`edgevit.spec.recipe.RangeMethod`.
        unclipped: Tensors that keep their extremes with every method, such as the logits: clipped ones would tie.

    Returns:
        Lower and upper bound by the tensor's name.
    """
    binned = method in BINNED
    histograms: dict[str, Histogram] = {}
    for activations in images:
        for name, values in activations.items():
            histograms.setdefault(name, Histogram()).add(values, binned=binned)
    return {
        name: _RANGE["min_max" if name in unclipped else method](histogram) for name, histogram in histograms.items()
    }


_RANGE: dict[RangeMethod, Callable[[Histogram], tuple[float, float]]] = {
    "min_max": min_max,
    "mean_min_max": mean_min_max,
    "mse": least_squares,
    "percentile_99.999": partial(percentile, percent=99.999),
}
