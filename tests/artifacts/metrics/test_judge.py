"""A model beside the original one, by a metric."""

from __future__ import annotations

import numpy as np

from edgevit.artifacts.metrics.classification import TOP1
from edgevit.artifacts.metrics.judge import score_alone, score_with_drop
from edgevit.artifacts.metrics.metric import Metric, Predictions, Score

_RIGHT, _WRONG = [1.0, 0.0], [0.0, 1.0]
_BEFORE = np.array([_RIGHT] * 9 + [_WRONG])
_AFTER = np.array([_RIGHT] * 7 + [_WRONG] * 3)
_PREDICTIONS = Predictions({"out": _AFTER}, {"out": _BEFORE}, np.zeros(10, int))
_SPREAD = Metric("spread", "", needs_labels=False, compute=lambda each: Score(float(np.std(each.outputs["out"][:, 0]))))


def test_what_is_lost_is_against_the_reference() -> None:
    score = score_with_drop(TOP1, _PREDICTIONS, resamples=False)
    assert (score.name, score.unit, score.value) == ("top1", "%", 0.7)
    assert score.drop is not None
    assert np.isclose(score.drop, 20)
    assert score.interval is not None
    assert score.drop_interval is not None
    assert score.drop_interval.low <= 20 <= score.drop_interval.high
    assert score.drop_interval.low >= 0  # no image became right


def test_a_model_alone_has_lost_nothing_that_is_known() -> None:
    score = score_alone(TOP1, _PREDICTIONS)
    assert (score.value, score.drop, score.drop_interval) == (0.7, None, None)


def test_resamples_are_taken_where_they_are_asked_for() -> None:
    without, with_them = (score_with_drop(_SPREAD, _PREDICTIONS, resamples=each) for each in (False, True))
    assert (without.interval, without.drop_interval) == (None, None)
    assert with_them.interval is not None
    assert with_them.interval.low < with_them.value < with_them.interval.high
    assert with_them.value == without.value
    assert score_alone(_SPREAD, _PREDICTIONS, intervals=False).interval is None
