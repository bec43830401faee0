"""Metrics of classifiers: top-1 accuracy, and agreement with the original float model."""

from __future__ import annotations

import numpy as np

from edgevit.artifacts.decisions import decided
from edgevit.artifacts.metrics.metric import Metric, Predictions, Score, mean_of, only_output
from edgevit.data.row_file import row_slices
from edgevit.errors import UsageError


def _top1(predictions: Predictions) -> Score:
    outputs, labels = only_output(predictions.outputs, "top1"), predictions.labels
    if labels is None or labels.dtype.kind not in "iu":
        raise UsageError(
            f"top1 needs the class of each image, and there are {'no labels' if labels is None else 'other labels'}",
            "give images with class folders or a column class_index, or another --metric",
        )
    return mean_of(_classes(outputs) == labels)


def _agreement(predictions: Predictions) -> Score:
    outputs, reference = (only_output(each, "agreement") for each in (predictions.outputs, predictions.reference))
    return mean_of(_classes(outputs) == _classes(reference))


def _classes(outputs: np.ndarray) -> np.ndarray:
    """The class that each row decides, int64 [n]; -1 for a row with NaN or infinity, which is right nowhere."""
    parts = []
    for rows in row_slices(outputs):
        values = np.asarray(outputs[rows])
        parts.append(np.where(np.isfinite(values).all(axis=1), decided(values), -1))
    return np.concatenate(parts)


TOP1 = Metric("top1", "%", needs_labels=True, compute=_top1)
"""Share of the images whose class is recognized; a single logit decides by its sign."""
AGREEMENT = Metric("agreement", "%", needs_labels=False, compute=_agreement)
"""Share of the images that get the same class as from the original float model."""
