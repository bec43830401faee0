"""Profiling on this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.backends import all_backends
from edgevit.measure.op_times import OpTimesJob, time_ops

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"


@pytest.mark.parametrize("backend", all_backends(), ids=lambda backend: backend.name)
def test_the_latency_is_reported_beside_the_ops(backend: object) -> None:
    from edgevit.backends import Backend

    assert isinstance(backend, Backend)
    pytest.importorskip(backend.runtime.replace("-", "_"))
    found = time_ops(OpTimesJob(backend.name, PROBES / f"probe{backend.suffix}", 1, "f32"))
    assert found.backend == backend.name
    assert found.profiler == backend.profiler
    assert found.threads == 1
    assert found.precision == "f32"
    assert found.p50_ms >= found.fastest_ms > 0
    assert {layer.kind for layer in found.layers} == {"elementwise"}  # y = 2 x + 1
