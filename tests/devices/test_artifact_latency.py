from __future__ import annotations

import math

import pytest

from edgevit.devices.artifact_latency import artifact_latency
from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.device import load_device
from edgevit.results.graph import Graph, Op, Tensor, size_bytes
from edgevit.spec.schemes import Numerics

PI = load_device("raspberry-pi-4b")


def network(layers: int = 20, numerics: Numerics = "float", float_layers: int = 0) -> Graph:
    """Returns a chain of 3 × 3 convolutions with 64 channels, the last ones in float."""
    dtype = "int8" if numerics == "int8_static" else "float32"
    shape, weights = (1, 56, 56, 64), (64, 3, 3, 64)
    tensors = [Tensor(f"x{i}", shape, dtype, size_bytes(shape, dtype), False) for i in range(layers + 1)]
    tensors += [Tensor(f"w{i}", weights, dtype, size_bytes(weights, dtype), True) for i in range(layers)]
    macs = math.prod(shape) * math.prod(weights[1:])
    ops = tuple(
        Op(
            f"c{i}",
            "CONV_2D",
            "conv",
            (f"x{i}", f"w{i}"),
            (f"x{i + 1}",),
            macs,
            "float" if i >= layers - float_layers else numerics,
        )
        for i in range(layers)
    )
    return Graph("tflite", ops, tuple(tensors), ("x0",), (f"x{layers}",))


def milliseconds(graph: Graph) -> float:
    return artifact_latency(load_cost_model(), graph, PI, PI.units[0], "litert").interval.p50


def test_the_interval_holds_the_median_and_the_basis_names_the_evidence() -> None:
    found = artifact_latency(load_cost_model(), network(), PI, PI.units[0], "litert")
    assert found.interval.low < found.interval.p50 < found.interval.high
    assert found.words.startswith("fitted on") and "published measurements of this unit" in found.words
    assert "fp32" in found.words


def test_kernels_take_nearly_all_of_the_time() -> None:
    found = artifact_latency(load_cost_model(), network(), PI, PI.units[0], "litert")
    times = [time for _, time in found.kernels]
    assert len(times) == 20
    assert all(time > 0 for time in times)
    assert 0.9 * found.interval.p50 < sum(times) < found.interval.p50


def test_a_mixed_network_costs_between_its_parts() -> None:
    int8, mixed, floating = (milliseconds(network(numerics="int8_static", float_layers=count)) for count in (0, 10, 20))
    assert int8 < mixed < floating


def test_twice_the_layers_take_about_twice_as_long() -> None:
    assert 1.6 < milliseconds(network(40)) / milliseconds(network(20)) < 2.4


def test_the_order_of_boards_is_that_of_their_clocks() -> None:
    def on(name: str) -> float:
        device = load_device(name)
        return artifact_latency(load_cost_model(), network(), device, device.units[0], "litert").interval.p50

    boards = ["raspberry-pi-5", "raspberry-pi-4b", "raspberry-pi-3b-plus"]
    assert sorted(boards, key=on) == boards


def test_a_network_without_macs_is_priced_too() -> None:
    tensors = tuple(Tensor(name, (1, 8), "float32", 32, False) for name in "xy")
    graph = Graph("tflite", (Op("r", "RELU", "activation", ("x",), ("y",), 0),), tensors, ("x",), ("y",))
    assert milliseconds(graph) == pytest.approx(milliseconds(graph))
    assert milliseconds(graph) > 0
