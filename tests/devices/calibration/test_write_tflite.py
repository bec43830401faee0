"""Small networks as TFLite: the runtime runs them, and they multiply what their description says."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert")

from edgevit.backends import get_backend
from edgevit.devices.calibration.numbers import Numbers
from edgevit.devices.calibration.write_tflite import write_tflite
from edgevit.measure.bench import noise_call
from tests.devices.calibration.every_layer import (
    MACS_OF_ATTENTION,
    MACS_OF_CLASSES,
    MACS_OF_CONVOLUTIONS,
    every_layer,
)


@pytest.mark.parametrize(("numbers", "attends"), [("float", True), ("int8_static", False), ("int8_dynamic", True)])
def test_runs_and_multiplies_as_described(tmp_path: Path, numbers: Numbers, attends: bool) -> None:
    path = tmp_path / "model.tflite"
    write_tflite(every_layer(attends), numbers, path)
    backend = get_backend("litert")
    noise_call(backend.open_session(path, 1, "f32"))()
    graph = backend.read_graph(path)
    assert graph.macs == MACS_OF_CONVOLUTIONS + MACS_OF_CLASSES + (MACS_OF_ATTENTION if attends else 0)
    assert {op.numerics for op in graph.ops if op.macs} >= {numbers}
    assert (graph.int8_mac_share > 0) == (numbers != "float")
