"""Predictions for several devices, as a child process makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.devices import predict
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import load_device
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
    assert found == tuple(predict_latency(layer(numerics="int8_static"), device) for device in devices)
