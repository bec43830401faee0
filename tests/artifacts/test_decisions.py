"""One logit decides by its sign, several by the largest."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.accuracy import agreement, read_answers, score
from edgevit.artifacts.decisions import class_logits, decided
from edgevit.artifacts.verify import compare, far_images

ONE = np.array([[-3.0], [-0.1], [0.0], [0.1], [4.0]], np.float32)


def test_one_logit_decides_by_its_sign() -> None:
    assert decided(ONE).tolist() == [0, 0, 0, 1, 1]
    assert decided(-ONE).tolist() == [1, 1, 0, 0, 0]


def test_several_decide_by_the_largest() -> None:
    logits = np.array([[1, 2, 0], [5, 5, 1]], np.float32)
    assert decided(logits).tolist() == [1, 0]
    assert class_logits(logits) is logits


def test_its_probability_is_the_sigmoid() -> None:
    answers = read_answers(np.array([[2.0], [-1.0]], np.float32), None)
    assert answers.probability == pytest.approx([1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1))])
    assert answers.classes == 2


def test_accuracy_of_one_logit() -> None:
    logits = np.array([[2.0], [-1.0], [3.0], [-4.0]], np.float32)
    assert score(logits, (1, 0, 0, 0), None).top1 == 0.75
    assert score(-logits, (1, 0, 0, 0), None).top1 == 0.25


def test_flipped_decisions_are_no_agreement() -> None:
    """Every decision flipped was 100 % agreement."""
    logits = np.array([[0.5], [-0.5], [0.2]], np.float32)
    assert compare(-logits, logits, "float", None).top1_agreement == 0.0
    assert agreement(read_answers(-logits, None), read_answers(logits, None)) == 0.0
    small = np.array([[1e-6], [-1.0]], np.float32)
    turned = np.array([[-1e-6], [-1.0]], np.float32)
    assert far_images(turned, small, 1e-4) == (0,)
    assert not compare(turned, small, "pytorch", 1e-4).passed
