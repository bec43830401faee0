"""Weights of networks that are timed."""

from __future__ import annotations

import numpy as np

from edgevit.devices.calibration.values import Values


def test_weights_are_the_same_each_time_and_keep_sizes() -> None:
    weights = Values().weights((300, 400), 400)
    assert np.array_equal(weights, Values().weights((300, 400), 400))
    product = np.random.default_rng(1).standard_normal((50, 400), dtype=np.float32) @ weights.T
    assert 0.9 < product.std() < 1.1
    biases = Values().row((1, 500), around=1.0)
    assert len(np.unique(biases)) > 400 and abs(biases.mean() - 1) < 0.01
    small = Values().int8((7, 9))
    assert small.dtype == np.int8 and len(np.unique(small)) > 40


def test_no_two_weights_are_equal() -> None:
    values = Values()
    assert not np.array_equal(values.weights((4, 9), 9), values.weights((4, 9), 9))
    assert not np.array_equal(values.int8((4, 9)), values.int8((4, 9)))
