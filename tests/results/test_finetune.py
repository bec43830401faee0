"""When fine-tuning counts as better."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.results.measurement import Interval
from tests.factories import make_finetune


@pytest.mark.parametrize(
    ("low", "high", "better"),
    [(-0.04, -0.02, True), (-0.04, 0.0, False), (-0.04, 0.01, False), (0.01, 0.02, False)],
    ids=["below zero", "up to zero", "around zero", "worse"],
)
def test_it_is_better_where_the_interval_is_below_zero(low: float, high: float, better: bool) -> None:
    assert replace(make_finetune(), change=Interval(low, high)).better == better
