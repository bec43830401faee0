"""Which of several predictions is the fastest, and how sure that is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from edgevit.devices import order
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import load_device
from edgevit.devices.order import (
    NamedArtifact,
    OrderJob,
    fastest_probabilities,
    order_artifacts,
    order_on,
    probability_below,
)
from edgevit.results.graph import Graph
from edgevit.results.predicted_order import PredictedOrder
from tests.devices.graphs import layer


def test_the_probability_of_a_difference() -> None:
    assert probability_below(0.0, 0.3) == 0.5
    assert probability_below(-0.3, 0.3) == pytest.approx(0.9, abs=1e-4)  # an interval of 80 % leaves 10 % on each side
    assert probability_below(0.3, 0.3) == pytest.approx(0.1, abs=1e-4)
    assert [probability_below(value, 0.0) for value in (-1.0, 0.0, 1.0)] == [1.0, 0.5, 0.0]


def test_two_predictions_are_compared_by_the_width_of_their_difference() -> None:
    log_ms, own = np.log([10.0, 12.0]), np.array([0.9, 0.9])
    for width in (0.1, 0.4, 1.2):
        widths = np.array([[0.0, width], [width, 0.0]])
        first, second = fastest_probabilities(log_ms, own, widths)
        assert first + second == pytest.approx(1)
        assert first == pytest.approx(probability_below(math.log(10 / 12), width), abs=0.01)


def test_equal_predictions_are_equally_likely() -> None:
    widths = 0.4 * (1 - np.eye(4))
    assert fastest_probabilities(np.zeros(4), np.full(4, 0.3), widths) == pytest.approx([0.25] * 4, abs=0.01)
    assert fastest_probabilities(np.zeros(3), np.full(3, 0.3), np.zeros((3, 3))) == pytest.approx([1 / 3] * 3)


def test_the_order_on_a_device() -> None:
    device = load_device("raspberry-pi-4b")
    graphs = {"small": layer(macs=10**7), "large": layer(macs=10**9), "same": layer(macs=10**7)}
    found = order_on(graphs, device)
    assert found is not None
    assert found.first == "same", "of equal ones the first by its name"
    assert found.slower["small"] == 0.5
    assert found.slower["large"] > 0.99
    assert found.fastest["large"] < 0.01
    assert sum(found.fastest.values()) == pytest.approx(1)


def test_a_scale_that_all_share_makes_no_order_unsure() -> None:
    """A device that was never measured has wide intervals, and all the same an order."""
    device = load_device("rk3566")
    unit = next(unit for unit in device.units if unit.kind == "cpu")
    graphs = {"small": layer(macs=10**8), "large": layer(macs=3 * 10**8)}
    latencies = [predict_latency(graph, device, unit=unit.name).latency_ms for graph in graphs.values()]
    assert all(latencies)
    found = order_on(graphs, device)
    assert found is not None and found.first == "small" and found.slower["large"] > 2 / 3


def test_what_does_not_run_has_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader:
        def read_graph(self, path: Path) -> Graph:
            return layer(numerics="int8_static" if path.stem == "int8" else "float")

    monkeypatch.setattr(order, "get_backend", lambda name: Reader())
    artifacts = tuple(NamedArtifact(name, "litert", Path(f"{name}.tflite")) for name in ("float", "int8"))
    devices = (load_device("coral-edge-tpu"), load_device("raspberry-pi-4b"))
    found = order_artifacts(OrderJob(artifacts, devices)).orders
    assert found["coral-edge-tpu"] == PredictedOrder("int8", {"int8": 1.0}, {"int8": 0.0})
    assert set(found["raspberry-pi-4b"].fastest) == {"float", "int8"}
    assert order_artifacts(OrderJob(artifacts[:1], devices[:1])).orders == {}
