"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit import units


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.1234, "0.123 ms"), (1.234, "1.23 ms"), (12.34, "12.3 ms"), (123.4, "123 ms"), (1234, "1234 ms")],
)
def test_milliseconds(value: float | None, text: str) -> None:
    assert units.milliseconds(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_latency_that_is_no_number_says_so(value: float) -> None:
    assert units.milliseconds(value) == "not finite"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0 B"), (950, "950 B"), (12_345, "12.3 kB"), (22_900_000, "22.9 MB"), (1_200_000_000, "1.20 GB")],
)
def test_size(value: int | None, text: str) -> None:
    assert units.size(value) == text


@pytest.mark.parametrize(("drop_points", "text"), [(-0.6, "+0.6 pt"), (0.6, "-0.6 pt"), (0.0, "+0.0 pt"), (None, "–")])
def test_a_gain_has_a_plus_and_a_loss_a_minus(drop_points: float | None, text: str) -> None:
    assert units.accuracy_change(drop_points) == text


def test_shares_and_differences() -> None:
    assert units.percent(0.8271) == "82.7 %"
    assert units.percent(0.8271, 0) == "83 %"
    assert units.percent(None) == "–"
    assert [units.points(value) for value in (1.0, 0.5, 0.46, 0.01, 0.4494, 12.5, 0.0)] == [
        "1.0 pt", "0.5 pt", "0.46 pt", "0.01 pt", "0.449 pt", "12.5 pt", "0.0 pt",
    ]  # fmt: skip
    assert units.ratio(2.134) == "2.13 ×"
    assert units.ratio(None) == units.ratio(math.nan) == "–"


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (950, "950"), (12_345, "12.3 k"), (5_720_000, "5.72 M"), (1.25e9, "1.25 G")]
)
def test_count(value: float | None, text: str) -> None:
    assert units.count(value) == text


def test_identical_outputs_have_no_noise() -> None:
    assert units.decibels(None) == "identical"
    assert units.decibels(41.26) == "41.3 dB"


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "0.0 s"), (99.4, "99.4 s"), (100, "1 min 40 s"), (185, "3 min 05 s")]
)
def test_seconds(value: float, text: str) -> None:
    assert units.seconds(value) == text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_latency_has_a_text(value: float) -> None:
    assert units.milliseconds(value)


@given(st.floats(0, 1e15))
def test_a_size_is_never_off_by_more_than_its_rounding(value: float) -> None:
    number, unit = units.size(value).split()
    factor = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert abs(float(number) * factor - value) <= 0.5 * factor


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "1 s"),
        (4.6, "5 s"),
        (42.0, "40 s"),
        (89.9, "90 s"),
        (119.0, "2 min"),
        (1520.0, "25 min"),
        (5400.0, "1 h 30 min"),
    ],
)
def test_an_estimate_is_no_more_exact_than_it_is(value: float, text: str) -> None:
    assert units.rough_seconds(value) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünï – 日本\tand\nlines", "plain, ünï – 日本\tand\nlines"),
        ("\x1b[2J\x07\r", "\\x1b[2J\\x07\\x0d"),
        ("\x7f\x9b", "\\u007f\\u009b"),
        ("abc\u202ecba\u200b", "abc\\u202ecba\\u200b"),
        ("name\udcff", "name\\udcff"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert units.visible(text) == shown
    units.visible(text).encode()


def test_a_metric_has_its_unit() -> None:
    assert [units.metric(0.91234, unit) for unit in ("%", "", "dB")] == ["91.2 %", "0.9123", "0.9123 dB"]
    assert [units.metric_change(0.5, unit) for unit in ("%", "", "dB")] == ["-0.5 pt", "-0.5", "-0.5 dB"]
    assert units.metric_change(0.0, "") == "+0"
    assert (units.metric(None, "dB"), units.metric_change(None, "")) == ("–", "–")


def test_a_share_near_all_of_it_has_the_digits_that_tell_candidates_apart() -> None:
    shares = (0.875, 0.99, 0.9972, 0.995, 0.99998, 0.999979, 0.999996, 1 - 1e-9, 1.0, 1 + 1e-9, 0.0)
    assert [units.metric(each, "%").removesuffix(" %") for each in shares] == [
        *("87.5", "99.0", "99.72", "99.5", "99.998", "99.9979", "99.9996", "100.0", "100.0", "100.0", "0.0"),
    ]
    drops = (1.25, -0.62, 0.04, 0.0021, -0.00004, 0.0)
    assert [units.metric_change(each, "%").removesuffix(" pt") for each in drops] == [
        *("-1.2", "+0.6", "-0.04", "-0.0021", "+0.0", "+0.0"),
    ]
    assert units.metric_change(0.0021, "%", 2) == "-0.0021 pt"
    assert units.metric_change(0.5, "%", 2) == "-0.50 pt"
