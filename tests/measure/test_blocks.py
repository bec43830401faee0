"""Blocks of two artifacts, carried out by a fake machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from edgevit.errors import CandidateFailed
from edgevit.measure.blocks import Block, BlockSettings, Contender, measure_block, preload, quick_ms
from edgevit.measure.conditions import Activity
from edgevit.measure.turns import Turns, TurnsJob, time_turns
from edgevit.run.task import Task

QUIET = Activity(0.1, 1.0, 0.0, 0.0, 0, None)
BUSY = Activity(0.1, 0.5, 1.9, 0.2, 0, None)
NEW, OLD = Contender("onnxruntime", Path("new.onnx"), "f32"), Contender("onnxruntime", Path("old.onnx"), "f32")


def turns(*samples_ms: float, activity: Activity = QUIET) -> Turns:
    return Turns((samples_ms,), (activity,), 2, "f32", "", (), ())


@dataclass
class Machine:
    """Answers each task by its file, and remembers what it was asked."""

    answers: dict[str, Turns | CandidateFailed]
    orders: list[tuple[int, ...]] = field(default_factory=list)
    jobs: list[TurnsJob] = field(default_factory=list)

    def run(self, tasks: Sequence[Task[TurnsJob, Turns]], order: Sequence[int]) -> list[Turns | CandidateFailed]:
        assert all(task.function is time_turns and task.timing for task in tasks)
        assert all(task.preload == preload(task.argument.backend) for task in tasks)
        self.orders.append(tuple(order))
        self.jobs += [task.argument for task in tasks]
        return [self.answers[task.argument.artifact.name] for task in tasks]


def test_the_ratio_is_of_the_new_file_to_the_old_one() -> None:
    machine = Machine({"new.onnx": turns(4.4), "old.onnx": turns(4.0)})
    block = measure_block(NEW, OLD, BlockSettings(), Random(0), machine.run)
    assert block.log_ratio == pytest.approx(math.log(1.1))


def test_a_coin_says_which_is_the_first_in_everything() -> None:
    machine = Machine({"new.onnx": turns(4.4), "old.onnx": turns(4.0)})
    random = Random(0)
    blocks = [measure_block(NEW, OLD, BlockSettings(turns=3), random, machine.run) for _ in range(40)]
    assert set(machine.orders) == {(0, 1, 0, 1, 0, 1)}
    firsts = [job.artifact.name for job in machine.jobs[::2]]
    assert 10 <= firsts.count("new.onnx") <= 30
    assert all(block.log_ratio == pytest.approx(math.log(1.1)) for block in blocks)


def test_each_process_has_places_in_memory_of_its_own() -> None:
    machine = Machine({"new.onnx": turns(4.0), "old.onnx": turns(4.0)})
    random = Random(0)
    for _ in range(5):
        measure_block(NEW, OLD, BlockSettings(), random, machine.run)
    assert len({job.seed for job in machine.jobs}) == 10


def test_a_file_that_cannot_be_timed_is_named() -> None:
    machine = Machine({"new.onnx": turns(4.0), "old.onnx": CandidateFailed("it crashed", "see the log")})
    with pytest.raises(CandidateFailed, match=r"old\.onnx: it crashed") as caught:
        measure_block(NEW, OLD, BlockSettings(), Random(0), machine.run)
    assert caught.value.hint == "see the log"


@pytest.mark.parametrize("ms", [0.0, math.nan, math.inf])
def test_a_time_that_is_none_is_no_ratio(ms: float) -> None:
    machine = Machine({"new.onnx": turns(ms), "old.onnx": turns(4.0)})
    with pytest.raises(CandidateFailed, match=r"new\.onnx: a run took .* no time to judge"):
        measure_block(NEW, OLD, BlockSettings(), Random(0), machine.run)


def test_quick_runs_of_all_turns_count() -> None:
    samples = tuple(float(value) for value in range(10, 21))
    assert quick_ms(turns(*samples)) == pytest.approx(11.0)
    halves = Turns((samples[6:], samples[:6]), (QUIET, QUIET), 2, "f32", "", (), ())
    assert quick_ms(halves) == quick_ms(turns(*samples))
    assert quick_ms(turns(7.0)) == 7.0


def test_runs_that_others_held_up_do_not_count() -> None:
    calm = turns(4.0, 4.0, 4.1, 4.1, 4.2)
    assert quick_ms(turns(4.0, 4.0, 4.1, 9.0, 30.0)) == pytest.approx(quick_ms(calm))


def test_a_block_tells_what_disturbed_it() -> None:
    quiet = Block(turns(4.0), turns(4.0), 1.0)
    busy = Block(turns(4.0, activity=BUSY), turns(4.0, activity=BUSY), 1.0)
    assert quiet.disturbances(1) == ()
    assert {each.kind for each in busy.disturbances(1)} == {"steal time", "other processes"}
