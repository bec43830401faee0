"""Factors follow what was measured, and intervals hold what is measured later."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgevit.search.factors import Factors, Prior

PRIOR = Prior({"tuned": math.log(0.5)}, spread=0.3)


def test_without_measurements_the_prior_is_all() -> None:
    found = Factors(PRIOR, [], []).correct(0.1, {"tuned": 1.0})
    assert found.value == pytest.approx(0.05)
    assert found.low < 0.05 < found.high


def test_a_factor_moves_to_what_was_measured_and_its_interval_shrinks() -> None:
    before = Factors(PRIOR, [], []).correct(1.0, {"openvino": 1.0})
    after = Factors(PRIOR, [{"openvino": 1.0}] * 8, [math.log(1.5)] * 8).correct(1.0, {"openvino": 1.0})
    assert before.value == pytest.approx(1.0)
    assert 1.4 < after.value < 1.5
    assert after.high / after.low < before.high / before.low


def test_factors_of_other_parts_stay() -> None:
    found = Factors(PRIOR, [{"openvino": 1.0}] * 8, [math.log(1.5)] * 8)
    assert found.correct(1.0, {"litert": 1.0}).value == pytest.approx(1.0)
    assert found.correct(1.0, {}).value == pytest.approx(1.0)


def test_intervals_hold_four_of_five_measurements() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        true = rng.normal(0, 0.3)
        seen = true + rng.normal(0, 0.3, 6)
        found = Factors(PRIOR, [{"a": 1.0}] * 6, list(seen)).correct(1.0, {"a": 1.0})
        held += found.low <= math.exp(true + rng.normal(0, 0.3)) <= found.high
    assert 0.75 <= held / 400 <= 0.85
