"""Judges a model by a metric, beside the original float model on the same images."""

from __future__ import annotations

from edgevit.artifacts.metrics.intervals import drop_interval, value_interval
from edgevit.artifacts.metrics.metric import Metric, Predictions
from edgevit.results.metric import MetricScore


def score_alone(metric: Metric, predictions: Predictions, *, intervals: bool = True) -> MetricScore:
    """Returns what a metric says of predictions by themselves, such as of the original float model.

    Args:
        metric: To take.
        predictions: For at least one image.
        intervals: Whether there is to be an interval, which needs SciPy.

    Raises:
        UsageError: see :meth:`edgevit.artifacts.metrics.metric.Metric.score`.
    """
    found = metric.score(predictions)
    interval = value_interval(metric, predictions, found) if intervals else None
    return MetricScore(metric.name, metric.unit, found.value, None, interval)


def score_with_drop(metric: Metric, predictions: Predictions, *, resamples: bool) -> MetricScore:
    """Returns what a metric says of predictions, and what is lost against the reference.

    Args:
        metric: To take.
        predictions: For at least one image.
        resamples: Whether there are to be intervals also where the metric has to be taken anew for each resample, which
            takes long.

    Raises:
        UsageError: see :meth:`edgevit.artifacts.metrics.metric.Metric.score`.
    """
    original = Predictions(predictions.reference, predictions.reference, predictions.labels)
    before, after = metric.score(original), metric.score(predictions)
    has_intervals = resamples or (before.per_image is not None and after.per_image is not None)
    return MetricScore(
        name=metric.name,
        unit=metric.unit,
        value=after.value,
        drop=metric.drop(before.value, after.value),
        interval=value_interval(metric, predictions, after) if has_intervals else None,
        drop_interval=drop_interval(metric, (original, before), (predictions, after)) if has_intervals else None,
    )
