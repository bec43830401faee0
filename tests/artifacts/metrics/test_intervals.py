"""Bootstrap intervals of values and of paired drops."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.metrics.classification import TOP1
from edgevit.artifacts.metrics.intervals import drop_interval, value_interval
from edgevit.artifacts.metrics.metric import Metric, Predictions, Score
from edgevit.errors import UsageError


def _max(predictions: Predictions) -> Score:
    return Score(float(predictions.outputs["out"].max()))


_MAX = Metric("largest", "", needs_labels=False, compute=_max)


def _predictions(outputs: np.ndarray, labels: np.ndarray | None = None) -> Predictions:
    return Predictions({"out": outputs}, {"out": outputs}, labels)


def test_the_interval_of_a_mean_is_the_normal_one_for_many_images() -> None:
    labels, generator = np.zeros(2000, int), np.random.default_rng(0)
    outputs = np.where(generator.random(2000)[:, None] < 0.8, [[1.0, 0.0]], [[0.0, 1.0]])
    predictions = _predictions(outputs, labels)
    score = TOP1.score(predictions)
    found = value_interval(TOP1, predictions, score)
    assert found is not None
    half = 1.96 * np.sqrt(score.value * (1 - score.value) / 2000)
    assert found.low == pytest.approx(score.value - half, abs=0.1 * half)
    assert found.high == pytest.approx(score.value + half, abs=0.1 * half)


def test_the_drop_between_equal_models_is_certain() -> None:
    predictions = _predictions(np.random.default_rng(0).normal(size=(50, 1)))
    scored = (predictions, _MAX.score(predictions))
    found = drop_interval(_MAX, scored, scored)
    assert found is not None
    assert (found.low, found.high) == (0, 0)  # each resample has the same images for both


def test_a_metric_that_is_no_mean_is_taken_anew_for_each_resample() -> None:
    predictions = _predictions(np.arange(100.0)[:, None])
    found = value_interval(_MAX, predictions, _MAX.score(predictions))
    assert found is not None
    assert found.high == 99
    assert 94 <= found.low < 99  # all resamples but for 2.5 % hold one of the last few


def test_drops_in_percent_are_in_points() -> None:
    right, wrong = np.tile([[1.0, 0.0]], (10, 1)), np.tile([[0.0, 1.0]], (10, 1))
    labels = np.zeros(10, int)
    before, after = _predictions(right, labels), _predictions(wrong, labels)
    found = drop_interval(TOP1, (before, TOP1.score(before)), (after, TOP1.score(after)))
    assert found is not None
    assert (found.low, found.high) == (100, 100)


def test_there_is_none_where_a_resample_has_no_value() -> None:
    def only_whole(predictions: Predictions) -> Score:
        if len(np.unique(predictions.outputs["out"])) < 10:
            raise UsageError("an image is missing")
        return Score(1.0)

    predictions = _predictions(np.arange(10.0)[:, None])
    metric = Metric("whole", "", needs_labels=False, compute=only_whole)
    assert value_interval(metric, predictions, metric.score(predictions)) is None
    single = _predictions(np.zeros((1, 1)))
    assert value_interval(_MAX, single, _MAX.score(single)) is None
