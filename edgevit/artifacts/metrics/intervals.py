"""Bootstrap intervals of a metric, and of the difference that two models have by it on the same images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevit.artifacts.metrics.metric import Metric, Predictions, Score
from edgevit.errors import UsageError
from edgevit.results.measurement import Interval
from edgevit.results.metric import points_per_unit

_RESAMPLES = 1000
_LEAST_RESAMPLES = 200
_MOST_VALUES = 1 << 30
"""Outputs that are read again for all resamples of a metric that is no mean; with more images there are fewer resamples."""


def value_interval(metric: Metric, predictions: Predictions, score: Score) -> Interval | None:
    """Returns the 95 % interval of a metric's value by the bootstrap of images; None where it cannot be known.

    It cannot with a single image, and where the metric has no value for some of the resamples.

    Args:
        metric: That was taken.
        predictions: It was taken of.
        score: Its value.
    """
    if score.per_image is not None:
        return _of_means(score.per_image)
    return _of_resamples(predictions, _resampled(metric, predictions, score), anew=score.resample is None)


def drop_interval(
    metric: Metric, before: tuple[Predictions, Score], after: tuple[Predictions, Score]
) -> Interval | None:
    """Returns the 95 % interval of the drop from one model to another by the paired bootstrap; see :func:`value_interval`.

    Each resample holds the same images for both.

    Args:
        metric: That was taken of both.
        before: Predictions of the first model, and its score.
        after: Of the second one on the same images.

    Returns:
        In percentage points where the unit of the metric is "%", else in its unit.
    """
    (one, first), (other, second) = before, after
    if first.per_image is not None and second.per_image is not None:
        found = _of_means(first.per_image - second.per_image)
    else:
        earlier, later = _resampled(metric, one, first), _resampled(metric, other, second)
        found = _of_resamples(
            other,
            lambda places: earlier(places) - later(places),
            anew=first.resample is None or second.resample is None,
        )
    scale = points_per_unit(metric.unit)
    return found and Interval(scale * found.low, scale * found.high)


def _resampled(metric: Metric, predictions: Predictions, score: Score) -> Callable[[np.ndarray], float]:
    """The value for a resample of the images: from what was kept of them, or taken anew."""
    return score.resample or (lambda places: metric.score(predictions.select(places)).value)


def _of_means(values: np.ndarray) -> Interval | None:
    if len(values) < 2:
        return None
    if np.all(values == values[0]):
        return Interval(float(values[0]), float(values[0]))
    return _bootstrap(values, np.mean, _RESAMPLES, vectorized=True)


def _of_resamples(predictions: Predictions, value: Callable[[np.ndarray], float], *, anew: bool) -> Interval | None:
    images = len(predictions)
    if images < 2:
        return None
    size = sum(array.size for array in predictions.outputs.values())
    count = min(_RESAMPLES, max(_LEAST_RESAMPLES, _MOST_VALUES // size)) if anew else _RESAMPLES
    try:
        return _bootstrap(np.arange(images), value, count, vectorized=False)
    except UsageError:  # of a resample that lacks a class, which says nothing against the metric
        return None


def _bootstrap(values: np.ndarray, statistic: Callable[..., float], resamples: int, *, vectorized: bool) -> Interval:
    from scipy.stats import bootstrap  # takes a second to import

    found = bootstrap(
        (values,),
        statistic,
        n_resamples=resamples,
        vectorized=vectorized,
        method="percentile",
        batch=1 if not vectorized else max(1, (1 << 24) // len(values)),
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))
