"""Points and the front among them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.report.front import (
    devices_of,
    front,
    is_logarithmic,
    levels,
    max_drop,
    measured_points,
    points_on,
    predicted_points,
    vertical_range,
)
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST
from tests.factories import (
    BOARD,
    make_board_run,
    make_candidate,
    make_realistic_run,
    make_run,
    make_timed_run,
    make_wide_run,
)

PI = "raspberry-pi-5"


def at(name: str, p50_ms: float, top1: float, **changes: object) -> Candidate:
    return make_candidate(f"litert/{name}", p50_ms=p50_ms, top1=top1, **changes)


def test_the_front_is_what_no_other_equals_or_exceeds_in_both() -> None:
    rejected = {"status": "rejected", "reasons": ("drops",)}
    run = make_run(
        at("fp32", 20, 0.83), at("fp16", 10, 0.82), at("dynamic_wi8_afp32", 10, 0.80), at("static_wi8_ai8", 12, 0.82),
        at("mixed_wi8_ai8", 5, 0.9, **rejected),
    )  # fmt: skip
    best = front(measured_points(run))
    assert [(point.ms, point.value) for point in best] == [(10, 82), (20, 83)]
    assert front([]) == ()


def test_no_usable_point_is_better_than_one_on_the_front_in_both() -> None:
    points = measured_points(make_wide_run())
    best = front(points)
    assert best
    for point in best:
        assert not [o for o in points if o.usable and o.ms < point.ms and o.value >= point.value]
    for other in points:
        if other.usable and other not in best:
            assert [p for p in best if p.ms <= other.ms and p.value >= other.value]


def test_numbers_are_ranks_and_measured_points_are_all_that_were_measured() -> None:
    run = make_realistic_run()
    points = measured_points(run)
    assert [point.number for point in points] == list(range(1, 10))
    assert len(points) == len(run.candidates) - 1  # one failed


def test_points_of_a_device_are_those_that_run_there_with_their_intervals() -> None:
    points = predicted_points(make_timed_run(PI), PI)
    assert {point.candidate.id for point in points} == {"litert/dynamic_wi8_afp32", "litert/fp32"}
    assert all(point.reach_ms and point.reach_ms.contains(point.ms) for point in points)
    assert predicted_points(make_timed_run(PI), "unknown") == ()


def test_devices_are_those_asked_for_and_those_predicted_for() -> None:
    assert devices_of(make_timed_run(PI)) == (PI,)
    assert devices_of(make_timed_run()) == ()
    assert HOST not in make_timed_run(PI).choices
    assert devices_of(make_realistic_run()) == (PI,)


def test_levels() -> None:
    assert levels(make_run()) == (pytest.approx(82.7), pytest.approx(81.7))
    assert levels(make_realistic_run(labels=False)) == (None, None)
    assert max_drop(make_run(spec={})) is None
    assert levels(make_run(spec={}))[1] is None


def test_the_range_separates_the_usable_candidates() -> None:
    run = make_realistic_run()
    points = measured_points(run)
    low, high = vertical_range(points, run)
    assert all(low < point.value < high for point in points if point.usable)
    assert [point.value for point in points if point.value < low]  # one that collapsed lies below


def test_an_axis_is_logarithmic_where_latencies_differ_much() -> None:
    points = measured_points(make_run(at("fp32", 90, 0.8), at("fp16", 10, 0.8)))
    assert is_logarithmic(points)
    assert not is_logarithmic([replace(points[0], ms=8.0), replace(points[0], ms=1.0)])


def test_points_of_a_board_are_those_measured_there() -> None:
    run = make_board_run()
    points = points_on(run, BOARD)
    assert [(point.candidate.id, point.ms) for point in points] == [
        ("openvino/static_wi8_ai8", 81.0), ("litert/fp32", 61.0),
    ]  # fmt: skip
    assert points == measured_points(run, BOARD) != measured_points(run)
    assert BOARD not in devices_of(run)
    assert points_on(make_timed_run(PI), PI) == predicted_points(make_timed_run(PI), PI)
