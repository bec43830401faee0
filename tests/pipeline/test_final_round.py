"""Who takes part in the final round, and what it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.measure.rounds import Rounds
from edgevit.pipeline import final_round
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.final_round import time_in_rounds
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import Interval, RoundLatency
from edgevit.spec.spec import Spec
from tests.factories import make_candidate
from tests.pipeline.contexts import make_context, make_inputs

FLOAT, INT8 = "onnxruntime/fp32/dense", "onnxruntime/static_wi8_ai8/dense"


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    return open_run(tmp_path)


def open_run(folder: Path, **spec: Any) -> RunContext:
    values = Spec.model_validate({"model": {"name": "m"}, **spec})
    return make_context(make_inputs(values), folder, np.eye(3, dtype=np.float32))


def latency(*bursts_ms: float) -> RoundLatency:
    middle = sorted(bursts_ms)[len(bursts_ms) // 2]
    return RoundLatency(middle, Interval(min(bursts_ms), max(bursts_ms)), bursts_ms)


class Fake:
    """In place of the measurement: known latencies by id; keeps what it was asked."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, failures: dict[str, str], **bursts_ms: tuple[float, ...]
    ) -> None:
        self.asked: list[str] = []
        self.rounds = 0
        self._failures, self._bursts_ms = failures, bursts_ms
        monkeypatch.setattr(final_round, "measure_rounds", self._measure)

    def _measure(self, entries: Any, settings: Any, run: Any, on_progress: Any) -> Rounds:
        self.asked, self.rounds = [entry.name for entry in entries], settings.rounds
        timed = {
            name: latency(*self._bursts_ms[name.split("/")[1]]) for name in self.asked if name not in self._failures
        }
        return Rounds(timed, self._failures)


def int8(**changes: Any) -> Candidate:
    return replace(make_candidate(INT8, p50_ms=9.0), parent=FLOAT, **changes)


def test_the_final_round_decides_not_the_first_measurement(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(monkeypatch, {}, fp32=(10.0, 11.0, 10.5), static_wi8_ai8=(12.0, 13.2, 12.6))
    with context.stages.folder:
        ranked = time_in_rounds(context, (make_candidate(FLOAT, p50_ms=30.0), int8(speed_up=3.0)))
    assert fake.asked == [FLOAT, INT8]
    assert [candidate.p50_ms for candidate in ranked] == [10.5, 12.6]
    assert (ranked[1].speed_up, ranked[1].status) == (pytest.approx(1 / 1.2), "rejected")
    assert "slower than" in ranked[1].reasons[0]


def test_a_rejected_parent_takes_part_for_the_sake_of_what_was_made_from_it(
    context: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(monkeypatch, {}, fp32=(10.0, 10.0, 10.0), static_wi8_ai8=(5.0, 5.0, 5.0))
    parent = replace(make_candidate(FLOAT, p50_ms=30.0), status="rejected", reasons=("a worse form",))
    with context.stages.folder:
        ranked = time_in_rounds(context, (parent, int8()))
    assert fake.asked == [FLOAT, INT8]
    assert (ranked[0].status, ranked[0].reasons) == ("rejected", ("a worse form",))
    assert ranked[1].speed_up == 2.0


@pytest.mark.parametrize("changes", [{"status": "rejected"}, {"status": "failed"}, {"measurements": ()}])
def test_what_cannot_be_chosen_is_not_timed(
    context: RunContext, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    fake = Fake(monkeypatch, {}, fp32=(10.0, 10.0, 10.0))
    with context.stages.folder:
        time_in_rounds(context, (make_candidate(FLOAT, p50_ms=30.0), int8(**changes)))
    assert fake.asked == [FLOAT]


def test_an_export_that_measured_nothing_has_no_round(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(monkeypatch, {})
    candidates = (replace(make_candidate(FLOAT), measurements=()),)
    assert time_in_rounds(context, candidates) == candidates
    assert fake.asked == []


def test_what_crashes_in_the_round_has_failed(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    Fake(monkeypatch, {INT8: "time burst: it crashed"}, fp32=(10.0, 10.0, 10.0))
    with context.stages.folder:
        ranked = time_in_rounds(context, (make_candidate(FLOAT, p50_ms=30.0), int8()))
    assert (ranked[1].status, ranked[1].reasons) == ("failed", ("time burst: it crashed",))


def test_a_quick_run_has_no_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(monkeypatch, {})
    context, candidates = open_run(tmp_path, quick=True), (make_candidate(FLOAT, p50_ms=30.0),)
    with context.stages.folder:
        assert time_in_rounds(context, candidates) == candidates
    assert fake.asked == []
