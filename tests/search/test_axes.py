"""Objectives as numbers."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.search.axes import Axes
from edgevit.search.factors import Corrected
from edgevit.search.proxy import Amounts, Predicted

AXES = Axes(("p50_ms", "top1"), {"vit": 0.0, "cnn": 3.0}, np.array([20.0, 5.0]))
EXACT = Predicted(*[Corrected(value, value, value) for value in (0.1, 1.0, 8.0, 5e6)])


def test_a_loss_counts_from_the_best_float_model() -> None:
    assert AXES.measured("cnn", Amounts(0.1, 1.0, 8.0, 5e6)).tolist() == [8.0, 4.0]
    assert AXES.expected("vit", EXACT).tolist() == [8.0, 1.0]
    assert AXES.box == 100.0


def test_what_was_not_timed_is_infinitely_slow() -> None:
    assert np.isinf(AXES.measured("vit", Amounts(0.1, 1.0, None, 5e6))[0])


def test_draws_have_the_intervals_that_were_predicted() -> None:
    predicted = Predicted(EXACT.divergence, Corrected(1.0, 0.5, 3.0), Corrected(8.0, 7.0, 8.5), EXACT.bytes)
    drawn = AXES.draws("vit", predicted, np.random.default_rng(0).standard_normal((4000, 3)))
    expected = AXES.expected("vit", predicted)
    assert np.quantile(drawn[:, 0], [0.1, 0.9]) == pytest.approx([7.0, 8.5], abs=0.05)
    assert np.quantile(drawn[:, 1], [0.1, 0.9]) == pytest.approx([0.5, 3.0], abs=0.1)
    assert np.median(drawn, axis=0) == pytest.approx(expected, abs=0.05)
