"""Metrics of outputs that decide nothing, such as embeddings and maps: how near they are to the original float model's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgevit.artifacts.metrics.metric import Metric, Predictions, Score, mean_of
from edgevit.artifacts.output_differences import cosines
from edgevit.data.row_file import row_slices
from edgevit.errors import UsageError

MOST_DB = 100.0
"""What counts as no noise: float32 rounding alone leaves 120 to 140 dB."""


def _cosine(predictions: Predictions) -> Score:
    return _worst_output(predictions, cosines)


def _snr(predictions: Predictions) -> Score:
    return _worst_output(predictions, _decibels)


def _worst_output(predictions: Predictions, per_image: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Score:
    """The mean over the images of the output for which it is least."""
    outputs, reference = predictions.outputs, predictions.reference
    if outputs.keys() != reference.keys():
        raise UsageError(
            f"the outputs are {', '.join(outputs)}, those of the float model {', '.join(reference)}",
            "compare a file with the float model that it was made from",
        )
    scores = [mean_of(_in_pieces(outputs[name], reference[name], per_image)) for name in outputs]
    return min(scores, key=lambda score: score.value if np.isfinite(score.value) else -np.inf)


def _in_pieces(
    found: np.ndarray, wanted: np.ndarray, per_image: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    return np.concatenate([per_image(found[rows], wanted[rows]) for rows in row_slices(found)])


def _decibels(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Signal-to-noise ratio of each image, float64 [n], at most ``MOST_DB``."""
    ours, theirs = (np.asarray(array, np.float64).reshape(len(array), -1) for array in (found, wanted))
    signal, noise = np.square(theirs).sum(axis=1), np.square(ours - theirs).sum(axis=1)
    least = signal * 10 ** (-MOST_DB / 10)
    ratio = np.maximum(signal, 1e-300) / np.maximum(np.maximum(noise, least), 1e-300)
    return np.asarray(np.minimum(10 * np.log10(ratio), MOST_DB))


COSINE = Metric("cosine", "%", needs_labels=False, compute=_cosine)
"""Mean over the images of the cosine similarity to the original float model; of several outputs the least such mean."""
SNR = Metric("snr", "dB", needs_labels=False, compute=_snr)
"""Mean over the images of the signal-to-noise ratio to the original float model, at most 100 dB; of several outputs the least."""
