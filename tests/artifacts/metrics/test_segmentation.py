"""Mean intersection over union."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.metrics.intervals import drop_interval, value_interval
from edgevit.artifacts.metrics.metric import Predictions
from edgevit.artifacts.metrics.segmentation import MIOU
from edgevit.errors import UsageError

TRUTH = np.array([[[0, 0], [1, 2]], [[1, 1], [255, 0]]], np.uint8)


def logits(classes: np.ndarray, channels: int = 4) -> np.ndarray:
    """float32 [n, channels, h, w] that decide these classes."""
    return np.moveaxis(np.eye(channels, dtype=np.float32)[classes], -1, 1)


def predictions(outputs: np.ndarray, masks: np.ndarray | None = TRUTH) -> Predictions:
    named = {"pooled": np.zeros((len(outputs), 5), np.float32), "out": outputs}
    return Predictions(named, named, masks)


def test_known_answer() -> None:
    answers = np.array([[[0, 1], [1, 2]], [[1, 0], [3, 0]]])
    # class 0: 2 of 4 pixels, class 1: 2 of 4, class 2: 1 of 1; class 3 is answered on an ignored pixel alone
    assert MIOU.score(predictions(logits(answers))).value == pytest.approx((2 / 4 + 2 / 4 + 1) / 3)
    perfect = np.where(TRUTH == 255, 0, TRUTH)
    assert MIOU.score(predictions(logits(perfect))).value == 1


def test_a_class_that_is_only_answered_counts_as_missed() -> None:
    answers = np.array([[[3, 0], [1, 2]], [[1, 1], [0, 0]]])
    assert MIOU.score(predictions(logits(answers))).value == pytest.approx((2 / 3 + 1 + 1 + 0) / 4)


def test_a_map_of_one_channel_decides_by_its_sign() -> None:
    masks = np.array([[[0, 1], [1, 1]]], np.uint8)
    found = np.array([[[[-1.0, 2.0], [3.0, -4.0]]]], np.float32)
    assert MIOU.score(predictions(found, masks)).value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_resamples_are_those_of_the_images_taken_anew() -> None:
    random = np.random.default_rng(0)
    masks = random.integers(0, 4, (6, 5, 5)).astype(np.uint8)
    good, poor = (
        logits(np.where(random.random(masks.shape) < share, masks, random.integers(0, 4, masks.shape)))
        for share in (0.9, 0.5)
    )
    before, after = predictions(good, masks), predictions(poor, masks)
    first, second = MIOU.score(before), MIOU.score(after)
    assert first.resample is not None
    places = np.array([0, 0, 3, 5])
    assert first.resample(places) == pytest.approx(MIOU.score(before.select(places)).value)
    interval = value_interval(MIOU, before, first)
    assert interval is not None
    assert interval.low < first.value < interval.high
    drop = drop_interval(MIOU, (before, first), (after, second))
    assert drop is not None
    assert 0 < drop.low < 100 * (first.value - second.value) < drop.high


def test_what_it_cannot_read_is_refused() -> None:
    with pytest.raises(UsageError, match="the images have none") as caught:
        MIOU.score(predictions(logits(TRUTH * 0), None))
    assert caught.value.hint and "--masks DIR" in caught.value.hint
    with pytest.raises(UsageError, match="the images have none"):
        MIOU.score(predictions(logits(TRUTH * 0), TRUTH[:, :1]))
    named = {"embedding": np.zeros((2, 5))}
    with pytest.raises(UsageError, match=r"the outputs are embedding \[5\]"):
        MIOU.score(Predictions(named, named, TRUTH))
    with pytest.raises(UsageError, match="no pixel of the masks has a class"):
        MIOU.score(predictions(logits(TRUTH * 0), np.full_like(TRUTH, 255)))
