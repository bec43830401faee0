"""Differences of outputs against figures worked out by hand, and by other formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgevit.artifacts.output_parity import holds_probabilities, mean_divergence, output_parity

RANDOM = np.random.default_rng(0)


def test_differences_by_hand() -> None:
    reference = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    outputs = np.array([[3.0, 4.5], [0.1, -0.2]], np.float32)
    found = output_parity(outputs, reference)
    assert found.max_abs_diff == pytest.approx(0.5)
    assert found.median_abs_diff == pytest.approx(0.15)
    assert found.snr_db == pytest.approx(10 * math.log10(25 / (0.25 + 0.01 + 0.04)))


def test_identical_outputs_have_no_noise() -> None:
    logits = RANDOM.standard_normal((20, 5)).astype(np.float32)
    found = output_parity(logits, logits)
    assert (found.max_abs_diff, found.median_abs_diff, found.snr_db, found.kl_divergence) == (0.0, 0.0, None, 0.0)


def test_the_divergence_of_logits_is_that_of_their_softmax() -> None:
    p, q = (RANDOM.dirichlet(np.ones(6), 50) for _ in range(2))
    expected = float((p * np.log(p / q)).sum(axis=1).mean())
    assert mean_divergence(np.log(q) + 3, np.log(p) - 7) == pytest.approx(expected, rel=1e-9)
    assert mean_divergence(q, p) == pytest.approx(expected, rel=1e-9)
    assert expected != pytest.approx(float((q * np.log(q / p)).sum(axis=1).mean()), rel=1e-3), "it has a direction"


def test_a_single_logit_is_a_sigmoid() -> None:
    p, q = 1 / (1 + math.exp(-1.5)), 1 / (1 + math.exp(0.5))
    expected = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
    assert mean_divergence(np.array([[-0.5]]), np.array([[1.5]])) == pytest.approx(expected)


def test_an_infinite_divergence_is_not_known() -> None:
    sure, unsure = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert mean_divergence(sure, unsure) is None
    assert mean_divergence(unsure, sure) == pytest.approx(math.log(2))


def test_probabilities_are_told_from_logits() -> None:
    probabilities = RANDOM.dirichlet(np.ones(10), 50).astype(np.float32)
    rounded = np.round(probabilities * 256) / 256
    assert holds_probabilities(probabilities)
    assert holds_probabilities(rounded)
    assert not holds_probabilities(np.log(probabilities))
    assert not holds_probabilities(np.full((3, 10), 0.9))
    assert not holds_probabilities(np.zeros((3, 10)))
    assert not holds_probabilities(np.full((3, 1), 0.7)), "one output is a logit"
    assert mean_divergence(probabilities, np.log(probabilities)) is None


def test_outputs_in_pieces_are_those_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (RANDOM.standard_normal((37, 4)).astype(np.float32) for _ in range(2))
    whole = output_parity(one, other)
    monkeypatch.setattr("edgevit.data.row_file._CHUNK_VALUES", 12)
    pieces = output_parity(one, other)
    assert pieces.snr_db == pytest.approx(whole.snr_db)
    assert pieces.kl_divergence == pytest.approx(whole.kl_divergence)
    assert (pieces.max_abs_diff, pieces.median_abs_diff) == (whole.max_abs_diff, whole.median_abs_diff)
