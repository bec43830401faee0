"""Scores logits: top-1 and top-5 with intervals, calibration error, the classes that changed, each image's answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.artifacts.decisions import class_logits
from edgevit.data.row_file import row_slices
from edgevit.results.candidate import Accuracy, ChangedClass
from edgevit.results.measurement import Interval
from edgevit.results.proportions import PairedCounts, paired_difference_interval, proportion_interval
from edgevit.run.files import write_atomically

_BINS = 15
"""Of the calibration error, as in the paper."""
_MOST_CHANGED = 10
"""Classes listed as changed."""


@dataclass(frozen=True)
class Answers:
    """What a model answers to each image: all that is kept of its logits."""

    top1: np.ndarray
    """int64 [n]: class index of the largest logit."""
    probability: np.ndarray
    """float64 [n]: softmax of that logit; NaN where a logit is NaN or infinite."""
    rank: np.ndarray | None
    """int64 [n]: number of classes before the true one; None where there are no labels."""
    labels: np.ndarray | None
    """int64 [n]: class index of each image."""
    classes: int

    @property
    def correct(self) -> np.ndarray | None:
        """bool [n]: whether each image is recognized; None where there are no labels."""
        return None if self.rank is None else self.rank < 1

    def select(self, places: Sequence[int]) -> Answers:
        """Returns the answers to the images at these places, in this order."""
        chosen = np.asarray(places, dtype=np.int64)
        rank, labels = (None if array is None else array[chosen] for array in (self.rank, self.labels))
        return Answers(self.top1[chosen], self.probability[chosen], rank, labels, self.classes)


def read_answers(logits: np.ndarray, labels: Sequence[int] | None) -> Answers:
    """Reads the answer to each image off logits, in pieces, so that a file may be larger than memory.

    Of equal logits the lower class index comes first, as in argmax; a row with NaN or infinity is a miss.
    A single logit decides between two classes by its sign, see :func:`edgevit.artifacts.decisions.class_logits`.

    Args:
        logits: float [n, classes], n >= 1; may be memory-mapped.
        labels: Class index of each row; None where there are none.
    """
    truth = None if labels is None else np.asarray(labels, dtype=np.int64)
    top1, probability, rank = [], [], []
    for rows in row_slices(logits):
        values = class_logits(np.asarray(logits[rows]))
        top1.append(values.argmax(axis=1))
        probability.append(_largest_probability(values))
        if truth is not None:
            rank.append(_rank(values, truth[rows]))
    ranks = np.concatenate(rank) if truth is not None else None
    return Answers(np.concatenate(top1), np.concatenate(probability), ranks, truth, values.shape[1])


def score(logits: np.ndarray, labels: Sequence[int] | None, baseline: Answers | None) -> Accuracy:
    """Scores logits, see :func:`read_answers` and :func:`accuracy_of`.

    Args:
        logits: float [n, classes], n >= 1; may be memory-mapped.
        labels: Class index of each row; None where there are none.
        baseline: Answers of the original model to the same images; None if unknown.
    """
    return accuracy_of(read_answers(logits, labels), baseline)


def accuracy_of(answers: Answers, baseline: Answers | None) -> Accuracy:
    """Scores answers against their labels.

    Args:
        answers: Of the model.
        baseline: Of the original model to the same images; None if unknown.

    Returns:
        Top-1 and top-5, None without labels, top-5 also with fewer than 6 classes, where it says nothing. The agreement
        is left to the caller, who knows whether the images are real.
    """
    samples, correct, not_finite = len(answers.top1), answers.correct, int((~np.isfinite(answers.probability)).sum())
    if answers.rank is None or correct is None:
        return Accuracy(None, None, samples, None, not_finite=not_finite)
    hits, before = int(correct.sum()), baseline.correct if baseline else None
    return Accuracy(
        top1=float(correct.mean()),
        top5=float((answers.rank < 5).mean()) if answers.classes > 5 else None,
        samples=samples,
        drop_points=None if before is None else 100 * (float(before.mean()) - float(correct.mean())),
        top1_interval=proportion_interval(hits, samples),
        drop_interval=None if before is None else _drop_interval(before, correct),
        ece=expected_calibration_error(answers.probability, correct),
        changed_classes=() if before is None else changed_classes(answers, before),
        not_finite=not_finite,
    )


def agreement(answers: Answers, others: Answers) -> float:
    """Returns the share of the images, 0..1, that two models put in the same class."""
    return float((answers.top1 == others.top1).mean())


def expected_calibration_error(probability: np.ndarray, correct: np.ndarray) -> float | None:
    """Returns how far a model's confidence is from its accuracy, 0..1; None where a probability is not known.

    The images are sorted by confidence into 15 bins of equal width, and the distances between mean confidence and
    accuracy of the bins are weighted by their numbers of images (Guo, Pleiss, Sun and Weinberger, "On Calibration of
    Modern Neural Networks", ICML 2017).

    Args:
        probability: float [n], 0..1: of the top-1 class.
        correct: bool [n].
    """
    if not np.isfinite(probability).all():
        return None
    edges = np.linspace(0, 1, _BINS + 1)[1:-1]
    bins = np.digitize(probability, edges, right=True)
    surplus = np.bincount(bins, weights=probability - correct, minlength=_BINS)
    return float(np.abs(surplus).sum() / len(probability))


def changed_classes(answers: Answers, before: np.ndarray) -> tuple[ChangedClass, ...]:
    """Returns the classes of which most images more, or fewer, are recognized than before; at most ten.

    Args:
        answers: With labels.
        before: bool [n]: whether the original model recognizes each image.
    """
    labels, after = answers.labels, answers.correct
    assert labels is not None
    assert after is not None
    size = answers.classes
    images, hits_before, hits_after = (
        np.bincount(labels, weights=weights, minlength=size) for weights in (None, before, after)
    )
    change = np.abs(hits_after - hits_before)
    order = np.lexsort((np.arange(size), images, -change))
    return tuple(
        ChangedClass(int(k), int(images[k]), float(hits_before[k] / images[k]), float(hits_after[k] / images[k]))
        for k in order[:_MOST_CHANGED]
        if change[k] > 0
    )


def write_top1(path: Path, ids: Sequence[str], answers: Answers) -> None:
    """Writes the answer to each image as CSV, whole or not at all.

    Its columns are id, label (empty where there are none), top1 (class indices) and probability (softmax of the top-1
    class).

    Args:
        path: File to write.
        ids: Of the images, in the order of the answers.
        answers: Of the model.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("id", "label", "top1", "probability"))
    labels: Sequence[object] = [""] * len(ids) if answers.labels is None else answers.labels.tolist()
    rows = zip(ids, labels, answers.top1.tolist(), answers.probability.tolist(), strict=True)
    writer.writerows((name, label, top1, f"{probability:.6f}") for name, label, top1, probability in rows)
    write_atomically(path, stream.getvalue().encode())


def _largest_probability(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # infinite logits give NaN, which is what is known of them
        exponents = values.astype(np.float64)
        exponents -= exponents.max(axis=1, keepdims=True)
        return np.asarray(1 / np.exp(exponents, out=exponents).sum(axis=1))


def _rank(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    true_logits = values[np.arange(len(values)), truth][:, None]
    lower_index = np.arange(values.shape[1]) < truth[:, None]
    rank = ((values > true_logits) | ((values == true_logits) & lower_index)).sum(axis=1)
    largest = values.max(axis=1)  # NaN where any of the row is
    rank[~(largest < np.inf)] = values.shape[1]
    return np.asarray(rank)


def _drop_interval(before: np.ndarray, after: np.ndarray) -> Interval:
    counts = PairedCounts(
        both=int((before & after).sum()),
        first_only=int((before & ~after).sum()),
        second_only=int((~before & after).sum()),
        neither=int((~before & ~after).sum()),
    )
    share = paired_difference_interval(counts)
    return Interval(100 * share.low, 100 * share.high)
