"""Metrics of embeddings and maps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgevit.artifacts.metrics.fidelity import COSINE, MOST_DB, SNR
from edgevit.artifacts.metrics.metric import Predictions
from edgevit.errors import UsageError

EMBEDDING = np.array([[3.0, 4.0], [0.0, 5.0]], np.float32)
MAP = np.arange(1, 17, dtype=np.float32).reshape(2, 2, 2, 2)


def predictions(embedding: np.ndarray, maps: np.ndarray = MAP) -> Predictions:
    return Predictions({"embedding": embedding, "map": maps}, {"embedding": EMBEDDING, "map": MAP}, None)


def test_the_original_itself() -> None:
    assert COSINE.score(predictions(EMBEDDING)).value == pytest.approx(1)
    assert SNR.score(predictions(EMBEDDING)).value == MOST_DB


def test_the_least_of_several_outputs_counts() -> None:
    turned = np.array([[4.0, 3.0], [0.0, 10.0]], np.float32)
    found = COSINE.score(predictions(turned))
    assert found.value == pytest.approx((24 / 25 + 1) / 2)
    assert found.per_image is not None
    assert found.per_image.tolist() == pytest.approx([24 / 25, 1])
    noisy = SNR.score(predictions(turned))
    assert noisy.value == pytest.approx((10 * math.log10(25 / 2) + 0) / 2)


def test_a_map_counts_whole() -> None:
    maps = MAP.copy()
    maps[0, 1, 1, 1] = 0  # of 1 to 8
    found = SNR.score(predictions(EMBEDDING, maps))
    assert found.value == pytest.approx((10 * math.log10(204 / 64) + MOST_DB) / 2)


def test_values_that_are_no_numbers_are_refused() -> None:
    broken = np.where(EMBEDDING == 4, np.nan, EMBEDDING)
    for metric in (COSINE, SNR):
        with pytest.raises(UsageError, match="no finite number"):
            metric.score(predictions(broken))


def test_outputs_of_another_model_are_refused() -> None:
    with pytest.raises(UsageError, match="the outputs are a, those of the float model b"):
        COSINE.score(Predictions({"a": EMBEDDING}, {"b": EMBEDDING}, None))
