"""Loading an artifact and classifying images with it."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.artifacts.classifier import Classifier
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, TensorSpec

PREPROCESSING = Preprocessing((2, 2), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
IMAGE = np.full((2, 2, 3), 51, np.uint8)


class Session:
    """Answers with given logits; keeps what it was fed with."""

    runtime_version, precision, delegate, threads = "1", "f32", "CPU", 1

    def __init__(self, *logits: float) -> None:
        self.inputs = (TensorSpec("x", (1, 3, 2, 2), "float32", "NCHW"),)
        self.outputs = (TensorSpec("y", (1, len(logits)), "float32", "NC"),)
        self.logits = np.array([logits], np.float32)

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        (self.fed,) = feeds
        return (self.logits,)


def test_probabilities_are_the_softmax_best_first() -> None:
    session = Session(0.0, np.log(6.0), np.log(3.0))
    answers = Classifier(session, PREPROCESSING, ("a", "b", "c")).classify(IMAGE)
    assert [label for label, _ in answers] == ["b", "c", "a"]
    assert [probability for _, probability in answers] == pytest.approx([0.6, 0.3, 0.1])
    np.testing.assert_allclose(session.fed, np.full((1, 3, 2, 2), 0.2), rtol=1e-6)


def test_a_single_logit_tells_two_classes_apart() -> None:
    answers = Classifier(Session(np.log(4.0)), PREPROCESSING, ("no", "yes")).classify(IMAGE)
    assert answers == [("yes", pytest.approx(0.8)), ("no", pytest.approx(0.2))]


def test_large_logits_do_not_overflow_and_nan_is_refused() -> None:
    assert Classifier(Session(1000.0, 0.0), PREPROCESSING, ("a", "b")).classify(IMAGE) == [("a", 1.0), ("b", 0.0)]
    with pytest.raises(UsageError, match="NaN or infinity"):
        Classifier(Session(float("nan"), 0.0), PREPROCESSING, ("a", "b")).classify(IMAGE)
