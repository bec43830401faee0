"""A single output that is a number."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.metrics.metric import Predictions
from edgevit.artifacts.metrics.value import VALUE
from edgevit.errors import UsageError

_FOUND = {"out": np.array([[1.0], [2.0], [4.0]])}
_FLOAT = {"out": np.array([[1.5], [2.0], [3.0]])}


def test_with_labels_the_error_is_to_them() -> None:
    score = VALUE.score(Predictions(_FOUND, _FLOAT, np.array([0.0, 2.0, 1.0])))
    assert score.value == pytest.approx(-4 / 3)
    assert score.per_image is not None
    assert score.per_image.tolist() == [-1, 0, -3]


def test_without_labels_it_is_to_the_float_model() -> None:
    assert VALUE.score(Predictions(_FOUND, _FLOAT, None)).value == -0.5
    assert VALUE.score(Predictions(_FLOAT, _FLOAT, None)).value == 0


def test_classes_are_no_numbers() -> None:
    with pytest.raises(UsageError, match="the labels are classes"):
        VALUE.score(Predictions(_FOUND, _FLOAT, np.array([0, 1, 1])))


def test_it_is_for_a_single_output() -> None:
    two = {"out": np.zeros((3, 2))}
    with pytest.raises(UsageError, match="2 outputs"):
        VALUE.score(Predictions(two, two, None))
