"""Timing with a fake clock."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.measure import bench as module
from edgevit.measure import energy
from edgevit.measure.bench import WARMUP_RUNS, WARMUP_SECONDS, BenchJob, bench, summarize, time_calls, time_runs
from edgevit.measure.sysfs import number_of
from tests.measure.machines import JETSON_NANO, LAPTOP, build

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"


class Clock:
    """A fake clock that advances only during calls."""

    def __init__(self, take_ms: Callable[[int], float]) -> None:
        self.now_ns = 1_000_000_000
        self.calls = 0
        self._take_ms = take_ms

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def perf_counter(self) -> float:
        return self.now_ns / 1e9

    def call(self) -> None:
        self.now_ns += round(1e6 * self._take_ms(self.calls))
        self.calls += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], float]], Clock]:
    """Replaces the real clock."""

    def make(take_ms: Callable[[int], float]) -> Clock:
        clock = Clock(take_ms)
        monkeypatch.setattr(module, "time", clock)
        return clock

    return make


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Progress that would be sent to the parent process."""
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "report_progress", lambda done, total: seen.append((done, total)))
    return seen


MakeClock = Callable[[Callable[[int], float]], Clock]


@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize(
    ("each_ms", "min_runs", "min_seconds", "runs"),
    [
        (100.0, 50, 2.0, 50),  # 5 s: the number of runs is the later one
        (10.0, 50, 2.0, 200),  # the time is the later one
        (10.0, 50, 0.0, 50),
        (1000.0, 1, 0.5, 1),
        (10.0, 50, 0.505, 51),  # the last run ends after the time, not before
    ],
)
def test_both_minima_are_reached_and_no_more(
    clock: MakeClock, each_ms: float, min_runs: int, min_seconds: float, runs: int
) -> None:
    timing = time_calls(clock(lambda _: each_ms).call, min_runs, min_seconds)
    assert len(timing.samples_ms) == runs
    assert timing.samples_ms == pytest.approx([each_ms] * runs)


@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize(("each_ms", "warmup"), [(100.0, WARMUP_RUNS), (1.0, round(1000 * WARMUP_SECONDS))])
def test_the_first_run_and_the_warm_up_are_apart(clock: MakeClock, each_ms: float, warmup: int) -> None:
    made = clock(lambda call: 777.0 if call == 0 else 555.0 if call <= 2 else each_ms)
    timing = time_calls(made.call, 50, 0.0)
    assert timing.first_run_ms == 777.0
    assert set(timing.samples_ms) == {each_ms}
    assert made.calls == 1 + timing.warmup_runs + 50
    assert WARMUP_RUNS <= timing.warmup_runs <= warmup


@pytest.mark.usefixtures("reports")
def test_samples_are_raw_and_in_order(clock: MakeClock) -> None:
    made = clock(lambda call: float(call))
    timing = time_calls(made.call, 5, 0.0)
    first = 1 + timing.warmup_runs
    assert timing.samples_ms == pytest.approx(list(range(first, first + 5)))


def test_progress_rises_and_stays_below_the_end(clock: MakeClock, reports: list[tuple[int, int]]) -> None:
    time_calls(clock(lambda _: 200.0).call, 50, 2.0)
    done = [part for part, total in reports if total == 100]
    assert len(done) == len(reports) > 10
    assert done == sorted(done)
    assert 0 <= done[0] < done[-1] <= 100


def test_percentiles_known_answer() -> None:
    found = summarize(tuple(float(value) for value in range(101, 0, -1)))
    assert (found.min, found.p50, found.p90, found.p99) == (1.0, 51.0, 91.0, 100.0)
    halves = summarize((1.0, 2.0))
    assert (halves.min, halves.p50, halves.p90) == (1.0, 1.5, pytest.approx(1.9))


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=200))
def test_percentiles_are_ordered(samples: list[float]) -> None:
    found = summarize(tuple(samples))
    assert min(samples) == found.min <= found.p50 <= found.p90 <= found.p99 <= max(samples) * (1 + 1e-12)
    assert found == summarize(tuple(reversed(samples)))


def test_batch_and_threads_are_what_was_run(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "x"], ["y"])],
        "batch of eight",
        [value("x", onnx.TensorProto.FLOAT, [8, 3, 4, 4])],
        [value("y", onnx.TensorProto.FLOAT, [8, 3, 4, 4])],
    )
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "m.onnx")
    cores = os.cpu_count() or 1
    found = bench(BenchJob("onnxruntime", tmp_path / "m.onnx", cores + 1, "fastest", 50, 0.0))
    assert (found.conditions.batch, found.threads, found.conditions.runs) == (8, cores + 1, 50)
    assert found.conditions.note.startswith(f"{cores + 1} threads on {cores} core")
    assert found.images_per_second == pytest.approx(8000 / found.latency_ms.p50)


def test_the_machine_and_the_energy_of_runs_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    job = BenchJob("onnxruntime", PROBES / "probe.onnx", 1, "fastest", 50, 0.05)
    root = build(tmp_path, {**LAPTOP, **JETSON_NANO})
    monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(module, "POWER_SECONDS", 0.3)
    found = bench(job)
    machine = found.conditions.machine
    assert machine is not None
    assert machine.during.looks >= 2
    assert machine.energy is not None
    assert machine.energy.counted == "INA3221 rail POM_5V_IN"
    assert machine.energy.mean_watts == pytest.approx(2.875)
    assert found.energy_mj == machine.energy.mj_per_run
    assert found.conditions.runs == len(found.samples_ms)  # without those that the sensor was read in
    monkeypatch.setattr(module, "ROOT", tmp_path / "none")
    found = bench(job)
    assert found.energy_mj is None
    assert "no energy counter" in found.conditions.machine.energy_unknown  # type: ignore[union-attr]


def test_a_counter_is_read_around_the_timed_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    root = build(tmp_path, LAPTOP)
    counter, steps = root / "sys/class/powercap/intel-rapl:0/energy_uj", []

    def rising(path: Path) -> int | None:
        if path == counter:
            steps.append(1_000_000)
            return 5_000_000 + sum(steps)
        return number_of(path)

    monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(energy, "number_of", rising)
    found = bench(BenchJob("onnxruntime", PROBES / "probe.onnx", 1, "fastest", 50, 0.05))
    readings = len(steps) - 2  # one to find the counter, one to begin with
    assert found.energy_mj == pytest.approx(1000 * readings / found.conditions.runs)


def test_something_is_done_between_runs_and_not_timed(clock: MakeClock) -> None:
    fake = clock(lambda call: 2.0)

    def between() -> None:
        fake.now_ns += 50_000_000

    assert time_runs(fake.call, 5, 0.0, between=between) == (2.0,) * 5
    assert fake.now_ns == 1_000_000_000 + 5 * 52_000_000
