"""Rounds of bursts, carried out by a fake machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from math import comb
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.errors import CandidateFailed
from edgevit.measure.burst import Burst, BurstJob, time_burst
from edgevit.measure.conditions import Activity
from edgevit.measure.rounds import (
    MEAN_WAIT_SECONDS,
    MOST_REPEATED,
    MOST_REPEATS,
    MOST_WAIT_SECONDS,
    RoundEntry,
    Rounds,
    RoundSettings,
    measure_rounds,
    round_groups,
    rounds_for,
)
from edgevit.results.machine_state import MachineSpan
from edgevit.results.statistics import median_interval, paired_ratio
from edgevit.run.task import Task
from tests.factories import make_machine_state, make_machine_while

QUIET = Activity(0.5, 1.0, 0.0, 0.0, 0, 2400.0)
BUSY = Activity(0.5, 0.6, 0.9, 0.0, 0, 2400.0)
BUSIER = Activity(0.5, 0.6, 1.4, 0.0, 0, 2400.0)


@dataclass
class Machine:
    """Answers each burst: by file, how long it takes; by the number of bursts so far, what else goes on."""

    ms: dict[str, float]
    drift: Callable[[int], float] = lambda burst: 1.0
    activity: Callable[[int], Activity] = lambda burst: QUIET
    waits: Callable[[int], float] = lambda burst: 0.0
    jobs: list[BurstJob] = field(default_factory=list)

    def run_all(self, tasks: Sequence[Task[BurstJob, Burst]]) -> list[Burst | CandidateFailed]:
        return [self.run(task) for task in tasks]

    def run(self, task: Task[BurstJob, Burst]) -> Burst:
        assert task.function is time_burst
        assert task.timing
        job, number = task.argument, len(self.jobs)
        self.jobs.append(job)
        ms = self.ms[job.artifact.name] * self.drift(number)
        waited = min(self.waits(number), job.most_wait_seconds)
        return Burst((ms, ms, 3 * ms), waited, self.activity(number), cores=2)

    @property
    def names(self) -> list[str]:
        """Files in the order in which they were timed."""
        return [job.artifact.name for job in self.jobs]


def entries(*names: str) -> list[RoundEntry]:
    return [RoundEntry(name, "onnxruntime", Path(name), "f32") for name in names]


def measured(machine: Machine, rounds: int = 6) -> Rounds:
    return measure_rounds(entries(*machine.ms), RoundSettings(rounds=rounds), machine.run_all)


@given(st.integers(1, 8), st.integers(1, 12), st.integers(1, 4), st.integers(0, 99))
def test_everything_is_timed_once_in_each_round_and_a_drift_cancels(
    count: int, rounds: int, at_once: int, seed: int
) -> None:
    settings = RoundSettings(rounds=rounds, at_once=at_once, seed=seed)
    found = round_groups(count, settings)
    orders = [tuple(chain(*groups)) for groups in found]
    assert len(orders) == rounds
    assert all(sorted(order) == list(range(count)) for order in orders)
    assert all(orders[number] == orders[number - 1][::-1] for number in range(1, rounds, 2))
    assert max(len(group) for groups in found for group in groups) == min(at_once, count)
    assert found == round_groups(count, settings)


@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 99))
def test_the_place_in_a_group_cancels_over_two_rounds(count: int, at_once: int, seed: int) -> None:
    there, back = round_groups(count, RoundSettings(rounds=2, at_once=at_once, seed=seed))
    places = [
        {entry: (place, len(group)) for group in groups for place, entry in enumerate(group)}
        for groups in (there, back)
    ]
    for entry, (place, size) in places[0].items():
        assert places[1][entry] == (size - 1 - place, size)


def test_neighbours_change() -> None:
    orders = [tuple(chain(*groups)) for groups in round_groups(6, RoundSettings(rounds=12))]
    before = Counter((order[place - 1], entry) for order in orders for place, entry in enumerate(order) if place)
    assert max(before.values()) <= 6
    assert len(before) > 20  # of 30 pairs


def test_each_file_is_timed_once_a_round_as_it_was_asked() -> None:
    machine = Machine({"a": 10.0, "b": 5.0})
    found = measure_rounds(entries("a", "b"), RoundSettings(threads=2, rounds=4, seconds=0.3, batch=8), machine.run_all)
    assert Counter(machine.names) == {"a": 4, "b": 4}
    assert {(job.threads, job.seconds, job.batch, job.precision) for job in machine.jobs} == {(2, 0.3, 8, "f32")}
    assert (found.latencies["a"].p50_ms, found.latencies["b"].p50_ms) == (10.0, 5.0)
    assert found.latencies["a"].bursts_ms == (10.0,) * 4
    assert found.failures == {}


def test_a_drift_cancels_in_the_ratio() -> None:
    found = measured(Machine({"a": 10.0, "b": 10.0}, drift=lambda burst: 1 + 0.02 * burst))
    a, b = found.latencies["a"], found.latencies["b"]
    ratio = paired_ratio(a.bursts_ms, b.bursts_ms)
    assert max(a.bursts_ms) / min(a.bursts_ms) > 1.15
    assert ratio.median == pytest.approx(1.0, abs=0.01)
    assert ratio.tied


def test_a_file_that_is_slower_in_each_round_is_not_tied() -> None:
    found = measured(Machine({"a": 10.5, "b": 10.0}, drift=lambda burst: 1.2 if burst > 5 else 1.0))
    ratio = paired_ratio(found.latencies["a"].bursts_ms, found.latencies["b"].bursts_ms)
    assert ratio.median == pytest.approx(1.05)
    assert not ratio.tied


def test_a_disturbed_burst_is_repeated_and_the_quiet_one_counts() -> None:
    machine = Machine(
        {"a": 10.0},
        drift=lambda burst: 2.0 if burst == 2 else 1.0,
        activity=lambda burst: BUSY if burst == 2 else QUIET,
    )
    found = measured(machine).latencies["a"]
    assert (found.bursts_ms, found.repeated_bursts, found.unstable) == ((10.0,) * 6, 1, "")


def test_of_disturbed_bursts_the_least_disturbed_counts_whatever_its_latency() -> None:
    machine = Machine(
        {"a": 10.0},
        drift=lambda burst: (1.0, 1.5, 1.2)[burst] if burst < 3 else 1.0,
        activity=lambda burst: (BUSIER, BUSY, BUSIER)[burst] if burst < 3 else QUIET,
    )
    assert measured(machine, rounds=12).latencies["a"].bursts_ms == (15.0, *(10.0,) * 11)


def test_repeats_are_bounded_and_a_noisy_machine_is_named() -> None:
    machine = Machine(dict.fromkeys("abcde", 10.0), activity=lambda burst: BUSY)
    found = measured(machine)
    total = 5 * 6
    assert len(machine.jobs) == total + round(MOST_REPEATED * total)
    assert sum(latency.repeated_bursts for latency in found.latencies.values()) == round(MOST_REPEATED * total)
    reasons = {latency.unstable for latency in found.latencies.values()}
    assert reasons == {"other processes used 0.9 cores in 6 of 6 bursts"}


def test_one_burst_is_repeated_only_so_often() -> None:
    machine = Machine({"a": 10.0, "b": 10.0, "c": 10.0}, activity=lambda burst: BUSY if burst < 9 else QUIET)
    measured(machine)
    assert machine.names[: MOST_REPEATS + 1] == [machine.names[0]] * (MOST_REPEATS + 1)
    assert machine.names[MOST_REPEATS + 1] != machine.names[0]


def test_waiting_is_bounded_for_one_burst_and_for_all() -> None:
    machine = Machine({"a": 10.0, "b": 10.0}, waits=lambda burst: 60.0)
    measured(machine)
    waits = [job.most_wait_seconds for job in machine.jobs]
    assert waits[0] == MOST_WAIT_SECONDS
    assert sum(waits) == pytest.approx(MEAN_WAIT_SECONDS * len(waits))
    assert waits[-1] == 0.0


def test_a_clock_that_fell_makes_the_bursts_after_it_doubtful() -> None:
    hot = Activity(0.5, 1.0, 0.0, 0.0, 0, 1200.0)
    found = measured(Machine({"a": 10.0}, activity=lambda burst: hot if burst > 2 else QUIET))
    assert found.latencies["a"].unstable == "the clock was at 50 % of its highest in 3 of 6 bursts"


def test_what_the_system_does_not_report_is_said() -> None:
    unknown = Activity(0.5, 1.0, None, None, 0, None)
    found = measured(Machine({"a": 10.0}, activity=lambda burst: unknown)).latencies["a"]
    assert (found.unstable, found.not_judged) == ("", "steal time, other processes, clock")


@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
def test_loading_side_by_side_changes_neither_order_nor_bursts(at_once: int) -> None:
    groups: list[int] = []
    machine, alone = (Machine(dict.fromkeys("abcde", 10.0)) for _ in range(2))

    def run(tasks: Sequence[Task[BurstJob, Burst]]) -> list[Burst | CandidateFailed]:
        groups.append(len(tasks))
        return machine.run_all(tasks)

    found = measure_rounds(entries(*"abcde"), RoundSettings(rounds=6, at_once=at_once), run)
    assert found == measured(alone)
    assert machine.names == alone.names
    assert groups == 3 * {1: [1] * 10, 2: [2, 2, 1, 1, 2, 2], 3: [3, 2, 2, 3], 8: [5, 5]}[at_once]


def test_only_what_was_disturbed_is_repeated() -> None:
    machine = Machine({"a": 10.0, "b": 5.0}, activity=lambda burst: BUSY if burst == 1 else QUIET)
    found = measure_rounds(entries("a", "b"), RoundSettings(rounds=6, at_once=2), machine.run_all)
    assert machine.names[1] == machine.names[2] != machine.names[0]
    assert {name: latency.repeated_bursts for name, latency in found.latencies.items()} == {
        machine.names[0]: 0,
        machine.names[1]: 1,
    }


def test_one_of_two_that_load_side_by_side_fails() -> None:
    machine = Machine({"a": 10.0, "b": 10.0})

    def run(tasks: Sequence[Task[BurstJob, Burst]]) -> list[Burst | CandidateFailed]:
        return [
            CandidateFailed("crashed") if task.argument.artifact.name == "b" else machine.run(task) for task in tasks
        ]

    found = measure_rounds(entries("a", "b"), RoundSettings(rounds=6, at_once=2), run)
    assert found.failures == {"b": "crashed"}
    assert len(found.latencies["a"].bursts_ms) == 6


def test_a_file_that_fails_leaves_the_others() -> None:
    machine = Machine({"a": 10.0, "b": 10.0})

    def run(tasks: Sequence[Task[BurstJob, Burst]]) -> list[Burst | CandidateFailed]:
        if tasks[0].argument.artifact.name == "b" and machine.names.count("b") == 2:
            return [CandidateFailed("time burst: the process was killed by SIGSEGV")]
        return machine.run_all(tasks)

    found = measure_rounds(entries("a", "b"), RoundSettings(rounds=6), run)
    assert found.failures == {"b": "time burst: the process was killed by SIGSEGV"}
    assert list(found.latencies) == ["a"]
    assert len(found.latencies["a"].bursts_ms) == 6


def test_progress_counts_bursts() -> None:
    machine, seen = Machine({"a": 1.0, "b": 1.0}), list[tuple[int, int]]()
    measure_rounds(
        entries("a", "b"), RoundSettings(rounds=2), machine.run_all, lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_same_latencies_come_from_the_same_bursts() -> None:
    first, second = (Machine({"a": 10.0, "b": 7.0}, drift=lambda burst: 1 + burst % 3 / 10) for _ in range(2))
    assert measured(first) == measured(second)
    assert first.names == second.names


@pytest.mark.parametrize("entries", [1, 2, 4, 5, 24])
def test_the_rounds_give_an_interval_that_covers_the_median(entries: int) -> None:
    """Of any distribution: with k values left out on each side, 1 - 2 P(at most k of all are below the median)."""
    rounds = rounds_for(entries)
    interval = median_interval([float(value) for value in range(rounds)])
    left_out = int(interval.low)
    below = sum(comb(rounds, count) for count in range(left_out + 1)) / 2**rounds
    assert 1 - 2 * below >= 0.95


def test_the_machine_is_told_from_before_the_first_burst_to_after_the_last() -> None:
    machine = Machine({"a": 10.0})

    def run(tasks: Sequence[Task[BurstJob, Burst]]) -> list[Burst | CandidateFailed]:
        number = len(machine.jobs)
        state = make_machine_state(load_average=float(number))
        during = make_machine_while(busy_mhz=(1500.0 - 100 * (number % 3),))
        span = MachineSpan(state, during, replace(state, throttling=("throttled",) if number == 5 else ()))
        return [replace(machine.run(task), cpu="Cortex-A72", span=span) for task in tasks]

    (found,) = measure_rounds(entries("a"), RoundSettings(rounds=6), run).latencies.values()
    assert found.machine is not None
    assert (found.machine.before.load_average, found.machine.after.load_average) == (0.0, 5.0)
    assert found.machine.during.busy_mhz == (1500.0, 1400.0, 1300.0) * 2
    assert "the clock changed by 13 %, 1300 to 1500 MHz" in found.machine.changed
    assert found.machine.cpu == "Cortex-A72"
    assert found.machine.throttled == ("throttled",)
    assert "throttled" in found.unstable.split("; ")


def test_bursts_that_tell_nothing_of_the_machine_leave_it_open() -> None:
    assert measured(Machine({"a": 10.0})).latencies["a"].machine is None
