"""Ratios of latencies that were not timed together, and ops that are not as many."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.results.changes import OpChange, independent_ratio, op_changes
from edgevit.results.measurement import Interval, RoundLatency
from tests.factories import make_latency


def latency(low: float, p50: float, high: float, batch: int = 1) -> RoundLatency:
    return RoundLatency(p50, Interval(low, high), (p50,), batch=batch)


def test_a_ratio_combines_both_intervals_on_the_logarithmic_scale() -> None:
    found = independent_ratio(latency(9, 10, 11), latency(4.5, 5, 5.5))
    assert found.median == pytest.approx(2)
    low = np.exp(np.log(2) - np.hypot(np.log(10 / 9), np.log(5.5 / 5)))
    high = np.exp(np.log(2) + np.hypot(np.log(11 / 10), np.log(5 / 4.5)))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    turned = independent_ratio(latency(4.5, 5, 5.5), latency(9, 10, 11))
    assert (1 / turned.interval.high, 1 / turned.interval.low) == pytest.approx((low, high))


def test_an_interval_without_width_adds_none_and_batches_count_per_image() -> None:
    exact = independent_ratio(latency(10, 10, 10), latency(4, 5, 6))
    assert (exact.interval.low, exact.interval.high) == pytest.approx((10 / 6, 10 / 4))
    assert independent_ratio(latency(40, 40, 40, batch=4), latency(5, 5, 5)).median == pytest.approx(2)


def test_the_interval_covers_the_true_ratio() -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        one, other = (make_latency(*(ms * np.exp(0.05 * generator.standard_normal(9)))) for ms in (20, 10))
        covered += independent_ratio(one, other).interval.contains(2.0)
    assert covered / 400 > 0.92


def test_ops_that_are_as_many_are_left_out() -> None:
    before = {("conv", "float"): 20, ("linear", "float"): 1, ("add", "float"): 4}
    after = {("conv", "int8_static"): 20, ("linear", "float"): 1, ("add", "float"): 5}
    assert op_changes(before, after) == (
        OpChange("conv", "float", 20, 0),
        OpChange("conv", "int8_static", 0, 20),
        OpChange("add", "float", 4, 5),
    )
    assert op_changes(before, before) == ()
