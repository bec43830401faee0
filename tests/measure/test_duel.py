"""Two artifacts run in turn: what one costs more than the other, and nothing else, decides."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from edgevit.measure.duel import WARMUP_PAIRS, Duel, interleaved
from edgevit.results import TensorSpec


class Stopwatch:
    """A session that keeps the order in which it was called."""

    runtime_version, precision, delegate, outputs = "1", "f32", "none", ()

    def __init__(self, name: str, seconds: float, dtype: str, calls: list[str]) -> None:
        self.inputs = (TensorSpec("input", (1, 3, 4, 4), dtype, "NCHW"),)
        self._name, self._seconds, self._calls = name, seconds, calls

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        (feed,) = feeds
        assert (feed.shape, feed.dtype.name) == (self.inputs[0].shape, self.inputs[0].dtype)
        self._calls.append(self._name)
        time.sleep(self._seconds)
        return ()


def test_runs_alternate_and_each_gets_its_own_dtype() -> None:
    calls: list[str] = []
    sessions: list[Any] = [Stopwatch("a", 0.004, "float32", calls), Stopwatch("b", 0.001, "int8", calls)]
    found = interleaved(sessions[0], sessions[1], pairs=5)
    assert calls == ["a", "b"] * (WARMUP_PAIRS + 5)
    assert found.pairs == 5
    assert found.speed_up > 1


def test_the_ratio_says_how_much_faster_the_second_is() -> None:
    assert Duel(6.0, 2.0, 100).speed_up == pytest.approx(3.0)
    assert Duel(2.0, 6.0, 100).speed_up == pytest.approx(1 / 3)
