"""What counts as a disturbance: a pure judgement of known numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.measure import conditions
from edgevit.measure.conditions import (
    Activity,
    Counters,
    Disturbance,
    activity_between,
    contention,
    disturbances,
    instability,
    joined,
    not_judged,
    parse_clocks,
    parse_stat,
    read_counters,
)
from edgevit.results.measurement import Interval

STAT = """cpu  1000 20 300 9000 50 6 40 120 7 0
cpu0 500 10 150 4500 25 3 20 60 0 0
ctxt 115315
"""
QUIET = Activity(
    seconds=0.5, own_cores=1.0, other_cores=0.02, steal_share=0.0, involuntary_switches=3, clock_mhz=2400.0
)


def reasons(activity: Activity, threads: int = 1, cores: int = 2, highest_clock_mhz: float | None = None) -> list[str]:
    return [str(each) for each in disturbances(activity, threads, cores, highest_clock_mhz)]


def test_the_kernels_line_of_all_cores_is_read() -> None:
    assert parse_stat(STAT, 100) == (pytest.approx(13.66), pytest.approx(1.2))


@pytest.mark.parametrize("text", ["", "cpu  1 2 3\n", "intr 5\n"])
def test_a_system_without_these_numbers_tells_nothing(text: str) -> None:
    assert parse_stat(text, 100) == (None, None)


def test_the_clock_is_the_median_of_the_cores() -> None:
    assert parse_clocks(["2400000\n", "1200000\n", "2600000\n"]) == 2400.0
    assert parse_clocks([]) is None
    assert parse_clocks(["<unknown>\n"]) is None


def test_the_process_that_measures_is_not_a_load() -> None:
    before = Counters(wall_s=10.0, own_cpu_s=1.0, busy_s=100.0, steal_s=2.0, involuntary_switches=5)
    after = Counters(wall_s=12.0, own_cpu_s=3.0, busy_s=102.0, steal_s=2.0, involuntary_switches=9)
    found = activity_between(before, after, None)
    assert found == Activity(2.0, 1.0, 0.0, 0.0, 4, None)
    busier = activity_between(before, replace(after, busy_s=103.8, steal_s=2.2), None)
    assert busier.other_cores == pytest.approx(0.9)
    assert busier.steal_share == pytest.approx(0.05)


def test_what_the_system_does_not_tell_stays_unknown_and_is_not_judged() -> None:
    before = Counters(wall_s=10.0, own_cpu_s=1.0, busy_s=None, steal_s=None, involuntary_switches=5)
    found = activity_between(before, replace(before, wall_s=11.0), None)
    assert (found.other_cores, found.steal_share, found.clock_mhz) == (None, None, None)
    assert reasons(found) == []
    assert not_judged(found) == "steal time, other processes, clock"
    assert not_judged(QUIET) == ""


def test_the_counters_of_this_machine_are_read() -> None:
    counters = read_counters()
    assert counters.own_cpu_s > 0
    if Path("/proc/stat").exists():
        assert counters.busy_s is not None
        assert counters.busy_s > 0


def test_a_machine_without_proc_is_read_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(conditions, "_STAT", tmp_path / "nowhere")
    monkeypatch.setattr(conditions, "_CLOCKS", tmp_path / "nowhere")
    begin = read_counters()
    assert (begin.busy_s, begin.steal_s) == (None, None)
    assert conditions.activity_since(begin).other_cores is None


def test_a_quiet_machine_disturbs_nothing() -> None:
    assert reasons(QUIET, highest_clock_mhz=2400.0) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"steal_share": 0.12}, "steal time 12 %"),
        ({"other_cores": 0.9}, "other processes used 0.9 cores"),
        ({"involuntary_switches": 60, "other_cores": 0.15}, "120 involuntary context switches per second"),
        ({"involuntary_switches": 60, "other_cores": None}, "120 involuntary context switches per second"),
        ({"clock_mhz": 1200.0}, "the clock was at 50 % of its highest"),
    ],
)
def test_each_disturbance_is_named(changes: dict[str, float], reason: str) -> None:
    assert reasons(replace(QUIET, **changes), highest_clock_mhz=2400.0) == [reason]  # type: ignore[arg-type]


def test_threads_of_the_measuring_process_that_take_turns_disturb_nothing() -> None:
    assert reasons(replace(QUIET, involuntary_switches=300)) == []


def test_where_more_cores_are_free_others_may_use_more() -> None:
    busy = replace(QUIET, other_cores=3.0)
    assert reasons(busy, threads=1, cores=16) == []
    assert reasons(busy, threads=8, cores=16) == ["other processes used 3.0 cores"]
    assert reasons(replace(QUIET, other_cores=0.3), threads=4, cores=2) == ["other processes used 0.3 cores"]


STEAL = (Disturbance("steal time", 0.12),)


def test_few_disturbed_bursts_leave_a_latency_stable() -> None:
    tight = Interval(9.9, 10.1)
    assert instability([STEAL, STEAL, (), (), (), ()], 10.0, tight) == ""
    assert instability([STEAL, STEAL, STEAL, (), (), ()], 10.0, tight) == "steal time 12 % in 3 of 6 bursts"


def test_every_kind_of_disturbance_is_a_reason_of_its_own() -> None:
    both = (Disturbance("steal time", 0.2), Disturbance("other processes", 0.5))
    other = (Disturbance("other processes", 0.9),)
    assert instability([both, other, other, ()], 10.0, Interval(10.0, 10.0)) == (
        "steal time 20 % in 1 of 4 bursts; other processes used 0.9 cores in 3 of 4 bursts"
    )


def test_rounds_that_differ_make_a_latency_unstable_where_nothing_else_is_known() -> None:
    assert instability([(), (), ()], 10.0, Interval(9.0, 11.0)) == "p50 differs by 20 % between rounds"


def test_what_disturbs_most_parts_is_told_once_for_each_kind() -> None:
    steal, others = Disturbance("steal time", 0.1), Disturbance("other processes", 1.5)
    assert contention([(), (), (steal,)], "blocks") == ()
    assert contention([(steal, others), (steal,), ()], "blocks") == (
        "steal time 10 % in 2 of 3 blocks",
        "other processes used 1.5 cores in 1 of 3 blocks",
    )


def test_spans_of_time_are_joined_by_their_length() -> None:
    long = replace(QUIET, seconds=1.5, other_cores=2.02, involuntary_switches=7, clock_mhz=2000.0)
    found = joined([QUIET, long])
    assert found.seconds == 2.0
    assert found.other_cores == pytest.approx(1.52)
    assert (found.involuntary_switches, found.clock_mhz, found.steal_share) == (10, 2000.0, 0.0)
    unknown = joined([QUIET, replace(long, other_cores=None, involuntary_switches=None)])
    assert (unknown.other_cores, unknown.involuntary_switches) == (None, None)
