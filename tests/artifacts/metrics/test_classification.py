"""Top-1 and agreement, with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.metrics.classification import AGREEMENT, TOP1
from edgevit.artifacts.metrics.metric import Predictions
from edgevit.errors import UsageError

_LOGITS = np.array([[3.0, 1, 2], [0, 1, 5], [1, 4, 0], [2, 2, 0]])


def _predictions(logits: np.ndarray, labels: np.ndarray | None = None) -> Predictions:
    return Predictions({"logits": logits}, {"logits": _LOGITS}, labels)


def test_top1_is_the_share_of_the_recognized() -> None:
    score = TOP1.score(_predictions(_LOGITS, np.array([0, 1, 1, 1])))
    assert score.value == 0.5
    assert score.per_image is not None
    assert score.per_image.tolist() == [1, 0, 1, 0]  # of equal logits the lower


def test_a_row_with_nan_is_right_nowhere() -> None:
    broken = _LOGITS.copy()
    broken[0, 2] = np.nan
    assert TOP1.score(_predictions(broken, np.array([0, 2, 1, 0]))).value == 0.75
    assert AGREEMENT.score(_predictions(broken)).value == 0.75


def test_a_single_logit_decides_by_its_sign() -> None:
    logits, before = np.array([[2.0], [-1.0], [0.0], [0.5]]), np.array([[3.0], [2.0], [-1.0], [1.0]])
    predictions = Predictions({"logit": logits}, {"logit": before}, np.array([1, 0, 1, 0]))
    assert TOP1.score(predictions).value == 0.5
    assert AGREEMENT.score(predictions).value == 0.75


def test_a_model_agrees_with_itself() -> None:
    assert AGREEMENT.score(_predictions(_LOGITS)).value == 1


@pytest.mark.parametrize("labels", [None, np.array([0.5, 1, 2, 3])])
def test_top1_needs_classes(labels: np.ndarray | None) -> None:
    with pytest.raises(UsageError, match="top1 needs the class of each image"):
        TOP1.score(_predictions(_LOGITS, labels))
