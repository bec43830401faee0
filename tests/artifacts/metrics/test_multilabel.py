"""Several classes in one image."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.metrics.metric import Predictions
from edgevit.artifacts.metrics.multilabel import MULTILABEL, average_precision
from edgevit.errors import UsageError

_LOGITS = {"logits": np.array([[2.0, -1, 3], [-1, 1, 2], [1, 2, -2], [-3, -2, 1]])}


@pytest.mark.parametrize(
    ("scores", "relevant", "expected"),
    [
        ([4, 3, 2, 1], [1, 0, 1, 0], (1 + 2 / 3) / 2),
        ([1, 2, 3, 4], [1, 0, 0, 0], 1 / 4),
        ([4, 3, 2, 1], [1, 1, 0, 0], 1),
        ([1, 1, 1, 1], [0, 1, 0, 1], 1 / 2),  # no order: the precision of all
        ([2, 2, 1, 1], [0, 1, 1, 1], (1 / 2 + 3 / 4 + 3 / 4) / 3),
    ],
)
def test_average_precision(scores: list[float], relevant: list[int], expected: float) -> None:
    assert average_precision(np.array(scores, float), np.array(relevant, bool)) == pytest.approx(expected)


def test_without_labels_each_class_is_compared_by_its_sign() -> None:
    other = {"logits": _LOGITS["logits"] * np.array([1, -1, 1])}
    score = MULTILABEL.score(Predictions(other, _LOGITS, None))
    assert score.value == pytest.approx(2 / 3)
    assert MULTILABEL.score(Predictions(_LOGITS, _LOGITS, None)).value == 1


def test_with_labels_it_is_the_mean_over_the_classes_that_occur() -> None:
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)
    score = MULTILABEL.score(Predictions(_LOGITS, _LOGITS, labels))
    assert score.value == pytest.approx((1 + 1 / 2) / 2)
    assert score.per_image is None


def test_labels_of_another_kind_are_refused() -> None:
    with pytest.raises(UsageError, match="another kind"):
        MULTILABEL.score(Predictions(_LOGITS, _LOGITS, np.arange(4)))
    with pytest.raises(UsageError, match="no image has any class"):
        MULTILABEL.score(Predictions(_LOGITS, _LOGITS, np.zeros((4, 3), bool)))
