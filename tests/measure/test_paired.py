"""Interleaved measurement: the ratio depends on what the artifacts cost and on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.backends import Backend, Session
from edgevit.measure import bench, paired
from edgevit.measure.bench import BenchJob
from edgevit.measure.paired import BenchWithParentJob, PairedLatency, bench_with_parent
from edgevit.results.artifact import TensorSpec


class Clock:
    """A fake clock that advances only when a session runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 0
        monkeypatch.setattr(bench.time, "perf_counter_ns", lambda: self.now_ns)


class Stopwatch:
    """A session of known latency, longer while the caches hold another one's weights."""

    runtime_version, precision, delegate, outputs = "1", "f32", "none", ()

    def __init__(self, name: str, warm_ms: float, cold_ms: float, dtype: str, clock: Clock, calls: list[str]) -> None:
        self.inputs = (TensorSpec("input", (1, 3, 4, 4), dtype, "NCHW"),)
        self._name, self._warm_ms, self._cold_ms, self._clock, self._calls = name, warm_ms, cold_ms, clock, calls

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        (feed,) = feeds
        assert (feed.shape, feed.dtype.name) == (self.inputs[0].shape, self.inputs[0].dtype)
        warm = set(self._calls[-3:]) == {self._name}
        self._clock.now_ns += int(1e6 * (self._warm_ms if warm else self._cold_ms))
        self._calls.append(self._name)
        return ()


def test_sessions_alternate_in_bursts_of_which_the_fastest_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = Clock(monkeypatch), list[str]()
    first: Any = Stopwatch("a", 12.0, 13.0, "float32", clock, calls)
    second: Any = Stopwatch("b", 3.0, 5.0, "int8", clock, calls)
    found = paired.interleave(first, second, bursts=2)
    assert calls == (["a"] * paired.BURST + ["b"] * paired.BURST) * (1 + 2)
    assert found == PairedLatency(12.0, 3.0, 2)


def test_the_ratio_says_how_much_faster_the_second_is() -> None:
    assert PairedLatency(6.0, 2.0, 100).speed_up == pytest.approx(3.0)
    assert PairedLatency(2.0, 6.0, 100).speed_up == pytest.approx(1 / 3)


def test_an_artifact_is_measured_alone_before_its_parent_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent would count as memory of the artifact."""
    pytest.importorskip("onnxruntime")
    probe = Path(__file__).parents[2] / "edgevit" / "commands" / "probes" / "probe.onnx"
    opened: list[str] = []
    open_session = Backend.open_session

    def note(self: Backend, path: Path, threads: int, precision: str, batch: int | None = None) -> Session:
        opened.append(f"open {precision}")
        return open_session(self, path, threads, precision, batch)

    def peak() -> int:
        opened.append("peak")
        return 1

    monkeypatch.setattr(Backend, "open_session", note)
    monkeypatch.setattr(bench, "peak_resident_bytes", peak)
    job = BenchWithParentJob(BenchJob("onnxruntime", probe, 1, "fastest", 50, 0.0), probe, "f32", bursts=3)
    found = bench_with_parent(job)
    assert opened == ["open fastest", "peak", "open f32"]
    assert found.measurement.conditions.runs == 50
    assert found.compared.bursts == 3
    assert found.compared.speed_up > 0
