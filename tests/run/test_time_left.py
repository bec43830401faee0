"""Stages are counted against the plan, and the time left follows the pace."""

from __future__ import annotations

import pytest

from edgevit.run.progress import PlannedStages, RunPlan
from edgevit.run.time_left import RunCount

PLAN = RunPlan(("a",), (PlannedStages("export", 4, 10.0), PlannedStages("measure", 2, 5.0, alone=True)), 2, 30.0)


def test_before_anything_has_been_done_the_plan_is_what_is_left() -> None:
    count = RunCount(PLAN, 0.0)
    assert (count.ended, count.total) == (0, 6)
    assert count.seconds_left(0.0) == 30.0


def test_at_the_planned_pace_each_stage_takes_its_part_off() -> None:
    count = RunCount(PLAN, 0.0)
    for pair in ((1, 2), (3, 4)):
        for number in pair:
            count.begin(f"export {number}", 5.0 * (pair[0] - 1))
        for number in pair:
            count.end(f"export {number}", 5.0 * (pair[0] - 1) + 10.0)
    assert (count.ended, count.total) == (4, 6)
    assert count.seconds_left(20.0) == pytest.approx(10.0)


def test_a_machine_half_as_fast_needs_twice_the_rest() -> None:
    count = RunCount(PLAN, 0.0)
    for number in range(4):
        count.begin(f"export {number}", 10.0 * number)
        count.end(f"export {number}", 10.0 * (number + 1))
    assert 15.0 < count.seconds_left(40.0) < 20.0  # 10 s planned, at twice the time, the plan itself counting a little


def test_stages_that_were_read_back_say_nothing_about_the_pace() -> None:
    count = RunCount(PLAN, 0.0)
    for number in range(4):
        count.begin(f"export {number}", 0.0)
        count.end(f"export {number}", 0.01)
    assert count.seconds_left(0.04) == pytest.approx(10.0)


def test_a_stage_that_the_plan_does_not_know_lengthens_the_count_but_not_the_estimate() -> None:
    count = RunCount(PLAN, 0.0)
    count.begin("search tokens", 0.0)
    count.end("search tokens", 100.0)
    assert (count.ended, count.total) == (1, 7)
    assert count.seconds_left(100.0) == pytest.approx(30.0)
    for number in range(5):
        count.begin(f"export {number}", 100.0)
    assert count.total == 8


def test_a_running_stage_takes_its_time_off_but_never_more_than_its_own() -> None:
    count = RunCount(PLAN, 0.0)
    count.begin("measure 1", 0.0)
    assert count.seconds_left(3.0) == pytest.approx(27.0)
    assert count.seconds_left(50.0) == pytest.approx(25.0)


def test_a_stage_ends_once_and_may_end_without_having_begun() -> None:
    count = RunCount(PLAN, 0.0)
    count.end("measure 1", 1.0)
    count.end("measure 1", 2.0)
    count.begin("measure 1", 3.0)
    assert (count.ended, count.total) == (1, 6)
