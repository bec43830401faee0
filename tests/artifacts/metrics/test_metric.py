"""Predictions by image, and what a metric may answer."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.metrics.metric import Metric, Predictions, Score, mean_of, only_output
from edgevit.errors import UsageError

_TWO = {"logits": np.eye(2), "features": np.zeros((2, 3, 4))}


def test_images_are_selected_in_every_array() -> None:
    predictions = Predictions(
        {"out": np.array([[0.0], [1.0], [2.0]])}, {"out": np.array([[3.0], [4.0], [5.0]])}, np.arange(3)
    )
    chosen = predictions.select([2, 2, 0])
    assert len(chosen) == 3
    assert chosen.outputs["out"].ravel().tolist() == [2, 2, 0]
    assert chosen.reference["out"].ravel().tolist() == [5, 5, 3]
    assert chosen.labels is not None
    assert chosen.labels.tolist() == [2, 2, 0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    metric = Metric("mine", "", needs_labels=False, compute=lambda _: Score(value))
    with pytest.raises(UsageError, match="no finite number"):
        metric.score(Predictions({}, {}, None))


def test_a_drop_is_in_points_where_the_unit_is_percent() -> None:
    def any_score(_: Predictions) -> Score:
        return Score(0.0)

    assert Metric("a", "%", needs_labels=False, compute=any_score).drop(0.75, 0.5) == 25
    assert Metric("a", "", needs_labels=False, compute=any_score).drop(0.75, 0.5) == 0.25


def test_a_mean_keeps_its_values() -> None:
    score = mean_of(np.array([True, False, True, True]))
    assert score.value == 0.75
    assert score.per_image is not None
    assert score.per_image.tolist() == [1, 0, 1, 1]


def test_the_only_output_is_one_with_a_row_per_image() -> None:
    assert only_output({"logits": np.eye(2)}, "top1").shape == (2, 2)
    with pytest.raises(UsageError, match="one output, and this one has 2: logits, features"):
        only_output(_TWO, "top1")
    with pytest.raises(UsageError, match=r"gives \[3, 4\]"):
        only_output({"map": np.zeros((2, 3, 4))}, "top1")
