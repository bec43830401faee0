"""The metric of multi-label classifiers: mean average precision, without labels the agreement of each class."""

from __future__ import annotations

import numpy as np

from edgevit.artifacts.metrics.metric import Metric, Predictions, Score, mean_of, only_output
from edgevit.errors import UsageError


def average_precision(scores: np.ndarray, relevant: np.ndarray) -> float:
    """Returns the average precision of a ranking: the mean, over the relevant ones, of the precision down to their score.

    Of equal scores none is ranked before the other, so that the order of the images does not count.

    Args:
        scores: float [n]; the highest is first.
        relevant: bool [n], at least one true.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, found = scores[order], np.cumsum(relevant[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # of those with an equal score
    gained = np.diff(found[last], prepend=0)
    return float((found[last] / (last + 1) * gained).sum() / found[-1])


def _multilabel(predictions: Predictions) -> Score:
    outputs, labels = only_output(predictions.outputs, "multilabel"), predictions.labels
    if labels is None:
        reference = only_output(predictions.reference, "multilabel")
        return mean_of(((np.asarray(outputs) > 0) == (np.asarray(reference) > 0)).mean(axis=1))
    if labels.dtype.kind != "b" or labels.shape != outputs.shape:
        raise UsageError(
            "multilabel reads for each image all classes that it has, and the labels are of another kind",
            "give them in a column class_indices of labels.csv, such as 0 3 7, or as an array of 0 and 1 [images, classes]",
        )
    present = np.flatnonzero(labels.any(axis=0))
    if not present.size:
        raise UsageError(
            "no image has any class, so that there is no mean average precision", "give images that have some"
        )
    return Score(float(np.mean([average_precision(np.asarray(outputs[:, k]), labels[:, k]) for k in present])))


MULTILABEL = Metric("multilabel", "%", needs_labels=False, compute=_multilabel)
"""Mean average precision, over the classes that any image has; without labels, the share of decisions, by the sign of each logit,
that are the original float model's."""
