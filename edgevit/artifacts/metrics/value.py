"""The metric of a single output that is a number: minus its mean absolute error."""

from __future__ import annotations

import numpy as np

from edgevit.artifacts.metrics.metric import Metric, Outputs, Predictions, Score, mean_of, only_output
from edgevit.errors import UsageError


def _minus_error(predictions: Predictions) -> Score:
    labels, found = predictions.labels, _numbers(predictions.outputs)
    if labels is None:
        wanted = _numbers(predictions.reference)
    elif labels.dtype.kind == "f":
        wanted = labels
    else:
        raise UsageError(
            "value compares a number with a number, and the labels are classes",
            "give the numbers in a column value of labels.csv, or as a float array of labels; or leave the metric out: a single"
            " logit then decides between two classes by its sign",
        )
    return mean_of(-np.abs(found - wanted))


def _numbers(outputs: Outputs) -> np.ndarray:
    """float64 [n]."""
    array = only_output(outputs, "value")
    if array.shape[1] != 1:
        raise UsageError(
            f"value is for a model with a single number as output, and this one has {array.shape[1]} outputs",
            "give --metric package.module:function",
        )
    return np.asarray(array[:, 0], dtype=np.float64)


VALUE = Metric("value", "", needs_labels=False, compute=_minus_error)
"""Minus the mean absolute error of the output to labels that are numbers, without labels to the original float model."""
