"""How far the outputs of two classifiers are from each other: differences, signal-to-noise ratio, divergence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgevit.artifacts.decisions import class_logits
from edgevit.artifacts.signal_to_noise import snr_db
from edgevit.data.row_file import row_slices

_MOST_ROUNDING = 0.25
"""By how much the probabilities of an image may exceed 1 in sum: those of an integer softmax are rounded."""
_LEAST_SUM = 0.5
"""Of the probabilities of an image, on average: rounding takes small ones to 0."""


@dataclass(frozen=True)
class OutputParity:
    """Of all outputs of all images."""

    max_abs_diff: float
    median_abs_diff: float
    snr_db: float | None
    """None when there is no difference."""
    kl_divergence: float | None
    """Mean over the images, in nats; None where it is infinite, or only one side holds probabilities."""


def output_parity(outputs: np.ndarray, reference: np.ndarray) -> OutputParity:
    """Compares outputs of the same images.

    Args:
        outputs: float [n, outputs], n >= 1, finite.
        reference: float [n, outputs], likewise.
    """
    differences, signal, noise = [], 0.0, 0.0
    for rows in row_slices(outputs):
        wanted = reference[rows].astype(np.float64)
        difference = np.abs(outputs[rows].astype(np.float64) - wanted)
        signal += float(np.square(wanted).sum())
        noise += float(np.square(difference).sum())
        differences.append(difference.astype(np.float32).ravel())
    together = np.concatenate(differences)
    return OutputParity(
        max_abs_diff=float(together.max()),
        median_abs_diff=float(np.median(together)),
        snr_db=snr_db(signal, noise),
        kl_divergence=mean_divergence(outputs, reference),
    )


def mean_divergence(outputs: np.ndarray, reference: np.ndarray) -> float | None:
    """Returns the mean over the images of the Kullback-Leibler divergence of class probabilities from the reference's.

    Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22, 1951: the sum over the classes of
    p log(p / q), with p of the reference. Logits give probabilities by their softmax.

    Args:
        outputs: float [n, outputs], see :func:`holds_probabilities`.
        reference: float [n, outputs].

    Returns:
        In nats, >= 0; None where a class has the probability 0 that the reference gives some to, or only one of the two is
        probabilities.
    """
    are_probabilities = holds_probabilities(reference)
    if holds_probabilities(outputs) != are_probabilities:
        return None
    total = 0.0
    for rows in row_slices(outputs):
        log_q, log_p = (_log_probabilities(each[rows], are_probabilities) for each in (outputs, reference))
        some = log_p > -np.inf  # a class of probability 0 adds nothing
        total += float((np.exp(log_p[some]) * (log_p[some] - log_q[some])).sum())
    return max(0.0, total / len(outputs)) if np.isfinite(total) else None


def holds_probabilities(outputs: np.ndarray) -> bool:
    """Returns whether outputs are probabilities of classes, as a softmax gives them, and not logits.

    Args:
        outputs: float [n, outputs].
    """
    if outputs.shape[1] < 2 or outputs.min() < 0 or outputs.max() > 1:
        return False
    sums = outputs.sum(axis=1, dtype=np.float64)
    return bool(sums.max() <= 1 + _MOST_ROUNDING and sums.mean() >= _LEAST_SUM)


def _log_probabilities(outputs: np.ndarray, are_probabilities: bool) -> np.ndarray:
    """float64 [n, classes]; -inf of a probability of 0."""
    values = class_logits(outputs).astype(np.float64)
    if are_probabilities:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(values / values.sum(axis=1, keepdims=True)))
    values -= values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))
