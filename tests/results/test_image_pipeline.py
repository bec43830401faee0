"""Where the time goes from the encoded image to the outputs."""

from __future__ import annotations

import pytest

from edgevit.results.image_pipeline import pipeline_times


def test_each_step_has_its_median_and_its_share_of_the_whole() -> None:
    found = pipeline_times([(2.0, 1.0, 7.0)] * 49 + [(200.0, 1.0, 7.0)])
    assert [(step.name, step.p50_ms) for step in found.steps] == [("decode", 2.0), ("resize", 1.0), ("model", 7.0)]
    assert sum(step.share for step in found.steps) == pytest.approx(1.0)
    assert found.steps[0].share == pytest.approx((49 * 2 + 200) / (50 * 10 + 198))
    assert (found.p50_ms, found.images_per_second, found.runs) == (10.0, 100.0, 50)


def test_intervals_show_a_drift_that_single_runs_would_hide() -> None:
    """A thousand runs in which the second half is slower: the interval of the median has both."""
    found = pipeline_times([(1.0, 1.0, 8.0)] * 500 + [(1.0, 1.0, 18.0)] * 500)
    assert (found.interval_ms.low, found.interval_ms.high) == (10.0, 20.0)
    assert (found.images_per_second_interval.low, found.images_per_second_interval.high) == (50.0, 100.0)
    assert found.images_per_second == pytest.approx(75.0)


def test_one_run_is_enough_and_none_is_not() -> None:
    assert pipeline_times([(1.0, 2.0, 3.0)]).p50_ms == 6.0
    with pytest.raises(ValueError, match="no"):
        pipeline_times([])


def test_other_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        pipeline_times([(1.0, 2.0)])
