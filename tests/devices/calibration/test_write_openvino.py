"""Small networks as OpenVINO IR: the runtime runs them, and they multiply what their description says."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("openvino")

from edgevit.backends import get_backend
from edgevit.devices.calibration.numbers import Numbers
from edgevit.devices.calibration.write_openvino import write_openvino
from edgevit.measure.bench import noise_call
from tests.devices.calibration.every_layer import (
    MACS_OF_ATTENTION,
    MACS_OF_CLASSES,
    MACS_OF_CONVOLUTIONS,
    every_layer,
)


@pytest.mark.parametrize(("numbers", "attends"), [("float", True), ("int8_static", True), ("int8_static", False)])
def test_runs_and_multiplies_as_described(tmp_path: Path, numbers: Numbers, attends: bool) -> None:
    path = tmp_path / "model.xml"
    write_openvino(every_layer(attends), numbers, path)
    backend = get_backend("openvino")
    noise_call(backend.open_session(path, 1, "f32"))()
    graph = backend.read_graph(path)
    assert graph.macs == MACS_OF_CONVOLUTIONS + MACS_OF_CLASSES + (MACS_OF_ATTENTION if attends else 0)
    assert {op.numerics for op in graph.ops if op.macs} >= {numbers}
    assert (graph.int8_mac_share > 0) == (numbers != "float")


@pytest.mark.parametrize("attends", [True, False])
def test_values_are_rounded_before_they_are_moved(tmp_path: Path, attends: bool) -> None:
    """As NNCF does: moving int8 is cheaper, and transposes of what is rounded later cost a copy each."""
    path = tmp_path / "model.xml"
    write_openvino(every_layer(attends), "int8_static", path)
    graph = get_backend("openvino").read_graph(path)
    makers = {name: op.native for op in graph.ops for name in op.outputs}
    rounded = {makers.get(op.inputs[0], "Parameter") for op in graph.ops if op.native == "FakeQuantize"}
    assert rounded and not rounded & {"Transpose", "Reshape"}
    moved = [op for op in graph.ops if op.native == "Transpose" and op.numerics == "int8_static"]
    assert moved, "moves of rounded values are in int8"
