"""What people read of a metric."""

import pytest

from edgevit.results.metric import MetricScore, points_per_unit


@pytest.mark.parametrize(
    ("name", "title"),
    [("top1", "top-1"), ("agreement", "agreement"), ("my.metrics:balanced", "balanced"), ("m:A.f", "f")],
)
def test_a_metric_of_ones_own_is_called_by_its_function(name: str, title: str) -> None:
    assert MetricScore(name, "", 0.5, None).title == title


def test_only_fractions_are_counted_in_points() -> None:
    assert (points_per_unit("%"), points_per_unit("dB"), points_per_unit("")) == (100, 1, 1)
