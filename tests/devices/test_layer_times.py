"""Layers of a prediction add up to it, whatever it rests on."""

from __future__ import annotations

import pytest

from edgevit.devices.artifact_latency import MeasuredGraph
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device, load_device
from edgevit.devices.layer_times import predict_layers, roofs_of
from edgevit.results.graph import Graph
from edgevit.results.layer_times import LayerTimes, Peak
from tests.devices.graphs import layer
from tests.devices.test_artifact_latency import network

PI4, PI5, CORAL = (load_device(name) for name in ("raspberry-pi-4b", "raspberry-pi-5", "coral-edge-tpu"))


def predicted(graph: Graph, device: Device, *anchors: MeasuredGraph) -> LayerTimes:
    found = predict_layers(graph, device, anchors)
    assert found is not None
    return found


def test_layers_are_those_of_the_prediction_and_take_nearly_all_of_it() -> None:
    found, whole = predicted(network(), PI4), predict_latency(network(), PI4)
    assert whole.latency_ms is not None
    assert (found.device, found.unit, found.source) == ("raspberry-pi-4b", "cpu", "predicted")
    assert (found.p50_ms, found.basis) == (pytest.approx(whole.latency_ms.p50), whole.basis)
    assert [layer.name for layer in found.layers] == [f"c{place}" for place in range(20)]
    assert 0.9 < found.share_of_p50 < 1
    assert {kind.kind for kind in found.kinds} == {"conv"}


def test_a_layer_has_its_operations_and_the_bytes_that_it_moves() -> None:
    found = predicted(network(1), PI4).layers[0]
    weights, data = 64 * 3 * 3 * 64, 56 * 56 * 64
    assert found.macs == data * 3 * 3 * 64
    assert (found.moved_bytes, found.arithmetic) == (4 * (weights + 2 * data), "float32")
    int8 = predicted(network(1, "int8_static"), PI4).layers[0]
    assert (int8.moved_bytes, int8.arithmetic) == (weights + 2 * data, "int8")


def test_an_anchor_scales_every_layer() -> None:
    before = predicted(network(), PI4)
    after = predicted(network(), PI4, MeasuredGraph(network(), 2 * before.p50_ms))
    scale = after.p50_ms / before.p50_ms
    assert scale > 1
    assert [layer.ms for layer in after.layers] == pytest.approx([scale * layer.ms for layer in before.layers])


def test_ops_of_a_data_sheet_add_up_with_its_link_or_its_memory() -> None:
    device = PI5.model_copy(update={"measured_as": (), "units": (_unmeasured(PI5),)})
    found = predicted(layer(), device)
    assert found.basis.startswith("data sheet only")
    assert found.sum_ms == pytest.approx(found.p50_ms)
    assert [layer.name for layer in found.layers] == ["op"]
    assert found.layers[0].moved_bytes == 12_000  # 1000 values read, 1000 written, 1000 weights


def test_what_is_not_predicted_has_no_layers() -> None:
    assert predict_layers(layer(), CORAL) is None  # float


def test_roofs_are_those_of_the_numbers_that_the_unit_uses() -> None:
    roofs = roofs_of(PI4, PI4.units[0])
    assert roofs is not None
    assert roofs.peaks == (Peak("float32", 48e9), Peak("int8", 96e9))
    assert roofs.bytes_per_second == 12.8e9
    phone = load_device("snapdragon-888")
    assert roofs_of(phone, next(unit for unit in phone.units if unit.kind == "cpu")) is None  # not published


def _unmeasured(device: Device) -> object:
    """The first unit of a device as if of an architecture that nobody measured."""
    unit = device.units[0]
    cores = tuple(core.model_copy(update={"architecture": "made up"}) for core in unit.cores)
    return unit.model_copy(update={"cores": cores, "runtimes": ("edgetpu",)})
