"""Quantities are read with their units, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from edgevit.gate.limits import (
    BYTES,
    COUNT,
    MILLIJOULES,
    MILLISECONDS,
    POINTS,
    SHARE,
    Difference,
    Kind,
    Limit,
    quantity,
    read_limit,
)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (MILLISECONDS, "15 ms", 15.0), (MILLISECONDS, "15ms", 15.0), (MILLISECONDS, "1.5e3 us", 1.5), (MILLISECONDS, "2 s", 2000.0),
        (BYTES, "8 MB", 8e6), (BYTES, "8 MiB", 8 * 2**20), (BYTES, "8_000 B", 8000.0), (BYTES, "12", 12.0),
        (COUNT, "1.25 G", 1.25e9), (POINTS, "1 pt", 1.0), (SHARE, "98 %", 0.98), (MILLIJOULES, "0.5 J", 500.0),
    ],
)  # fmt: skip
def test_a_quantity_is_its_number_times_its_unit(kind: Kind, text: str, value: float) -> None:
    assert quantity(kind.suffixes, text) == pytest.approx(value)


@pytest.mark.parametrize(
    "value", [True, None, [], "", "ms", "1 2", "1,5 ms", "0x10", "٣ ms", "nan", "1e999", float("inf"), "15 mb"]
)
def test_what_is_no_quantity_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"quantity|unit|finite"):
        quantity(BYTES.suffixes, value)


@pytest.mark.parametrize("percent", range(101))
def test_a_percentage_is_the_nearest_number(percent: int) -> None:
    assert quantity(SHARE.suffixes, f"{percent} %") == percent / 100


def test_a_bare_number_is_the_bound_on_the_worse_side() -> None:
    assert read_limit(MILLISECONDS, 15) == Limit(max=15.0)
    assert read_limit(SHARE, 0.9) == Limit(min=0.9)


def test_a_difference_is_a_share_of_the_baseline_or_in_the_unit() -> None:
    assert read_limit(MILLISECONDS, {"max_increase": "5 %"}).max_increase == Difference(0.05, True)
    assert read_limit(MILLISECONDS, {"max_increase": "1 ms"}).max_increase == Difference(1.0, False)
    assert read_limit(SHARE, {"max_decrease": "1 pt"}).max_decrease == Difference(0.01, False)
    assert read_limit(COUNT, {"max_increase": 0}).max_increase == Difference(0.0, False)
    with pytest.raises(
        ValueError, match=r"max_increase: '1 %' could be meant in two ways; give a difference such as .10 pt"
    ):
        read_limit(POINTS, {"max_increase": "1 %"})
    with pytest.raises(ValueError, match="at least 0"):
        read_limit(MILLISECONDS, {"max_increase": -1})


def test_only_a_limit_with_a_difference_needs_a_baseline() -> None:
    assert not read_limit(MILLISECONDS, {"max": 1, "min": 1}).is_relative
    assert read_limit(MILLISECONDS, {"max_decrease": "50 %"}).is_relative
