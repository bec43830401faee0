"""Predictions for several devices, as a child process makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.devices import predict
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import load_device
from edgevit.devices.op_support import CAPTURED
from edgevit.errors import OpenShapes
from edgevit.results.graph import Graph
from tests.devices.graphs import layer


class Reader:
    """A backend that reads one known graph."""

    def __init__(self) -> None:
        self.read: list[Path] = []

    def read_graph(self, path: Path) -> Graph:
        self.read.append(path)
        return layer(numerics="int8_static")


def test_an_artifact_is_read_once_and_predicted_for_each_device_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()
    monkeypatch.setattr(predict, "get_backend", {"litert": reader}.__getitem__)
    devices = tuple(load_device(name) for name in ("coral-edge-tpu", "raspberry-pi-5"))
    found = predict.predict_for_devices(predict.PredictDevicesJob("litert", Path("model.tflite"), devices)).predictions
    assert reader.read == [Path("model.tflite")]
    assert [each.device for each in found] == ["coral-edge-tpu", "raspberry-pi-5"]
    graph = layer(numerics="int8_static")
    assert found == tuple(predict.predict(graph, device) for device in devices)
    for each, device in zip(found, devices, strict=True):
        assert each.latency_ms == predict_latency(graph, device).latency_ms
        assert [support.unit for support in each.op_support] == [unit.name for unit in device.units]
        assert each.memory and each.memory.weights_bytes + each.memory.activation_bytes == each.peak_tensor_bytes


def test_open_shapes_are_unsupported_everywhere_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Open:
        def read_graph(self, path: Path) -> Graph:
            raise OpenShapes("m.onnx: the shape of 'image' is open", "export it with static shapes", "image")

    monkeypatch.setattr(predict, "get_backend", lambda name: Open())
    devices = (load_device("raspberry-pi-5"), load_device("rk3588"))
    found = predict.predict_for_devices(predict.PredictDevicesJob("onnx", Path("m.onnx"), devices)).predictions
    assert [each.unsupported_ops for each in found] == [("the open shape of image",)] * 2
    assert all(each.latency_ms is None and not each.supported for each in found)
    assert [len(each.op_support) for each in found] == [1, 2]


def test_a_captured_graph_says_what_it_is() -> None:
    graph = layer(native="convolution", format=CAPTURED)
    devices = (load_device("raspberry-pi-4b"), load_device("coral-edge-tpu"))
    job = predict.PredictGraphJob(graph, devices)
    on_pi, on_coral = predict.predict_captured(job).predictions
    assert on_pi.latency_ms == predict_latency(graph, devices[0]).latency_ms
    assert "captured from PyTorch" in on_pi.basis
    assert on_coral.unsupported_ops == ("ops in float (1 x)",)
    assert predict.predict_captured(job).macs == graph.macs
