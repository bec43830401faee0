"""The metric of segmentation: mean intersection over union with masks of classes."""

from __future__ import annotations

import numpy as np

from edgevit.artifacts.metrics.metric import Metric, Outputs, Predictions, Score
from edgevit.data.masks import IGNORED
from edgevit.data.row_file import row_slices
from edgevit.errors import UsageError


def class_map(outputs: Outputs) -> np.ndarray:
    """Returns the output that masks are compared with, float [n, classes, h, w]: the first that is a map.

    Raises:
        UsageError: none is.
    """
    maps = [array for array in outputs.values() if array.ndim == 4]
    if not maps:
        shapes = ", ".join(f"{name} {list(array.shape[1:])}" for name, array in outputs.items())
        raise UsageError(
            f"miou compares a map [classes, height, width] with masks, and the outputs are {shapes}",
            "give cosine, snr, or package.module:function of your own",
        )
    return maps[0]


def _miou(predictions: Predictions) -> Score:
    logits, masks = class_map(predictions.outputs), predictions.labels
    if masks is None or masks.dtype != np.uint8 or masks.shape != (len(logits), *logits.shape[2:]):
        raise UsageError(
            "miou compares a map of classes with masks, and the images have none",
            "give --masks DIR, a folder with a .png for each image by its stem, whose pixels are indices of classes",
        )
    counts = np.concatenate([_counts(logits[rows], masks[rows]) for rows in row_slices(logits)])

    def value(places: np.ndarray) -> float:
        intersection, union = counts[places].sum(axis=0)
        present = union > 0
        if not present.any():
            raise UsageError("no pixel of the masks has a class", f"all are {IGNORED}; give other masks")
        return float((intersection[present] / union[present]).mean())

    return Score(value(np.arange(len(counts))), resample=value)


def _counts(logits: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Pixels in the intersection and in the union of each class of each image, int64 [n, 2, classes]."""
    channels = logits.shape[1]
    decided = logits[:, 0] > 0 if channels == 1 else logits.argmax(axis=1)
    classes, found = max(channels, 2), []
    for answer, truth in zip(decided.astype(np.int64), masks, strict=True):
        counted = truth != IGNORED
        pairs = np.bincount(classes * truth[counted].astype(np.int64) + answer[counted], minlength=classes**2)
        table = pairs.reshape(classes, classes)
        both = table.diagonal()
        found.append(np.stack([both, table.sum(axis=0) + table.sum(axis=1) - both]))
    return np.stack(found)


MIOU = Metric("miou", "%", needs_labels=True, compute=_miou)
"""Mean, over the classes that masks or answers have, of the share of their pixels that both have; a map of one channel tells class
1 from class 0 by its sign. Of several outputs the first map counts."""
