"""Predicted latency: one op by hand, invariants of the formula, and ops that cannot run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.devices.artifact_latency import MeasuredGraph
from edgevit.devices.cost import predict_latency
from edgevit.devices.device import Device, Roofline, Unit, load_device
from edgevit.devices.op_support import unsupported_ops
from edgevit.errors import UsageError
from edgevit.results.graph import Graph, Op
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics
from edgevit.spec.toml_files import names
from tests.devices.graphs import layer, tensor


def unmeasured(name: str) -> Device:
    """Returns a device that no measurement tells of, so that it is predicted from its data sheet."""
    changes = {"measured_as": (), "chip": "unheard-of", "title": "unheard-of"}
    return load_device(name).model_copy(update=changes)


PI5 = unmeasured("raspberry-pi-5")
CORAL = unmeasured("coral-edge-tpu")


def roofline(unit: Unit) -> Roofline:
    assert unit.roofline is not None
    return unit.roofline


def bandwidth(unit: Unit) -> float:
    assert unit.memory_bandwidth_bytes_per_second is not None
    return unit.memory_bandwidth_bytes_per_second.value * roofline(unit).bandwidth_efficiency.value


def p50(graph: Graph, device: Device, unit: str | None = None) -> float:
    prediction = predict_latency(graph, device, unit=unit)
    assert prediction.latency_ms is not None
    return prediction.latency_ms.p50


def test_one_op_bound_by_arithmetic() -> None:
    unit = PI5.units[0]
    share = roofline(unit).efficiency["float"].conv.value
    expected = 1000 * 2e9 / (153.6e9 * share) + roofline(unit).per_op_overhead_ms.value
    assert p50(layer(10**9), PI5) == pytest.approx(expected)


def test_one_op_bound_by_bandwidth() -> None:
    unit = PI5.units[0]
    assert bandwidth(unit) < 17.1e9
    expected = 1000 * 4 * (10**8 + 2000) / bandwidth(unit) + roofline(unit).per_op_overhead_ms.value
    assert p50(layer(1000, weights=10**8), PI5) == pytest.approx(expected)


def test_weights_beyond_on_chip_memory_cross_the_link() -> None:
    unit = CORAL.units[0]
    link = bandwidth(unit)
    fits = p50(layer(1000, "int8_static", weights=8_000_000), CORAL)
    spills = p50(layer(1000, "int8_static", weights=48_000_000), CORAL)
    assert spills - fits == pytest.approx(1000 * 40e6 / link, rel=1e-3)


def test_prediction_says_what_it_rests_on() -> None:
    prediction = predict_latency(layer(), PI5)
    assert "data sheet only" in prediction.basis
    assert (prediction.device, prediction.unit, prediction.source) == ("raspberry-pi-5", "cpu", "predicted")
    assert prediction.supported
    assert prediction.peak_tensor_bytes == prediction.peak_memory_bytes == 4 * (1000 + 2000)


@given(st.integers(0, 10**11), st.integers(0, 10**11), st.integers(1, 10**8), st.integers(1, 10**8))
def test_more_work_is_never_faster(macs: int, more: int, weights: int, heavier: int) -> None:
    before = predict_latency(layer(macs, weights=weights), PI5).latency_ms
    after = predict_latency(layer(macs + more, weights=weights + heavier), PI5).latency_ms
    assert before is not None and after is not None
    assert 0 < before.low <= before.p50 <= before.high
    assert after.p50 >= before.p50


@pytest.mark.parametrize("name", names("devices"))
def test_int8_is_not_slower_than_float_for_convolutions(name: str) -> None:
    device = unmeasured(name)
    for unit in device.units:
        format = unit.formats[0]
        if unit.roofline and "float" in unit.numerics:
            static = p50(layer(10**10, "int8_static", format=format), device, unit.name)
            assert static <= p50(layer(10**10, format=format), device, unit.name)


def test_fused_and_free_ops_cost_nothing() -> None:
    graph = layer()
    kinds: tuple[tuple[OpKind, str], ...] = (("activation", "RELU"), ("reshape", "RESHAPE"), ("quantize", "QUANTIZE"))
    for kind, native in kinds:
        last = Op("last", native, kind, ("y",), ("z",), 0)
        longer = replace(
            graph, ops=(*graph.ops, last), tensors=(*graph.tensors, tensor("z", (1, 1000))), outputs=("z",)
        )
        assert p50(longer, PI5) == p50(graph, PI5)
    softmax = replace(longer, ops=(*graph.ops, replace(last, kind="softmax")))
    assert p50(softmax, PI5) > p50(graph, PI5)


def test_a_unit_that_cannot_run_an_op_gets_no_latency_but_a_reason() -> None:
    prediction = predict_latency(layer(), CORAL)
    assert (prediction.latency_ms, prediction.supported) == (None, False)
    assert prediction.unsupported_ops == ("CONV_2D in float (1 x)",)
    assert prediction.peak_tensor_bytes == prediction.peak_memory_bytes == 4 * (1000 + 2000)
    assert "data sheet only" in prediction.basis
    other_format = predict_latency(layer(format="xml"), CORAL)
    assert other_format.latency_ms is None
    assert other_format.unsupported_ops == ("the format of .xml files",)


def test_the_fastest_able_unit_is_taken() -> None:
    jetson = unmeasured("jetson-orin-nano")
    assert predict_latency(layer(format="onnx"), jetson).unit == "gpu"
    assert predict_latency(layer(format="tflite"), jetson).unit == "cpu"
    assert predict_latency(layer(numerics="int8_dynamic", format="onnx"), jetson).unit == "cpu"
    assert predict_latency(layer(format="onnx"), jetson, unit="cpu").unit == "cpu"
    assert predict_latency(layer(format="xml"), jetson).latency_ms is None
    with pytest.raises(UsageError, match="unknown compute unit of jetson-orin-nano: 'npu'"):
        predict_latency(layer(), jetson, unit="npu")


def test_a_unit_whose_runtime_was_measured_elsewhere_alone_has_a_wide_interval_and_says_so() -> None:
    bare = PI5.units[0].model_copy(update={"roofline": None, "cores": ()})
    unknown = PI5.model_copy(update={"units": (bare,), "measured_as": (), "chip": None, "title": "Board"})
    prediction = predict_latency(layer(), unknown)
    assert prediction.latency_ms is not None
    assert prediction.basis.endswith("measurements of other architectures (TFLite, fp32)")
    assert prediction.latency_ms.high > 3 * prediction.latency_ms.p50


def test_a_unit_of_which_too_little_is_published_gets_no_latency_and_says_so() -> None:
    bare = PI5.units[0].model_copy(update={"roofline": None, "runtimes": ("vx-delegate",)})
    prediction = predict_latency(layer(), PI5.model_copy(update={"units": (bare,)}))
    assert (prediction.latency_ms, prediction.supported) == (None, True)
    assert prediction.basis.startswith("no latency: too little is published of VeriSilicon's VX delegate")


def test_mobilenet_v2_on_published_devices(shared_data: Path) -> None:
    """Published medians: learn.arm.com ExecuTorch course (Pi 5), coral.ai/docs/edgetpu/benchmarks (Edge TPU)."""
    litert = pytest.importorskip("edgevit.backends.litert.graph", exc_type=ImportError)
    folder = shared_data / "edge_models" / "tflite"
    graph = litert.read_graph(folder / "mobilenet_v2_1.0_224_keras_ptq_int8.tflite")
    for device, published in ((PI5, 4.01), (CORAL, 2.6)):
        latency = predict_latency(graph, device).latency_ms
        assert latency is not None
        assert latency.low <= published <= latency.high
    assert not unsupported_ops(graph, CORAL.units[0])
    transformer = litert.read_graph(folder / "mobilevit_xxs_128_10class_int8.tflite")
    assert any(entry.startswith("BATCH_MATMUL") for entry in predict_latency(transformer, CORAL).unsupported_ops)


def test_a_measured_unit_is_predicted_from_its_measurements() -> None:
    prediction = predict_latency(layer(), load_device("raspberry-pi-4b"))
    assert prediction.basis.startswith("fitted on") and "published measurements of this unit" in prediction.basis
    assert prediction.latency_ms is not None
    assert prediction.latency_ms.low < prediction.latency_ms.p50 < prediction.latency_ms.high


def test_anchors_scale_a_roofline_too_and_those_that_do_not_run_say_nothing() -> None:
    before = p50(layer(10**9), PI5)
    measured = MeasuredGraph(layer(10**9), 3 * before)
    graph = layer()
    foreign = MeasuredGraph(replace(graph, ops=(replace(graph.ops[0], foreign=True),)), 1.0)
    after = predict_latency(layer(10**9), PI5, anchors=(measured, foreign)).latency_ms
    assert after is not None
    assert 2.5 * before < after.p50 < 3 * before
    unscaled = predict_latency(layer(10**9), PI5).latency_ms
    assert unscaled is not None
    assert after.high / after.low < unscaled.high / unscaled.low
    assert predict_latency(graph, PI5, anchors=(foreign,)) == predict_latency(graph, PI5)


def test_what_ran_on_another_unit_or_in_another_runtime_sets_no_scale() -> None:
    graph, device = layer(), load_device("raspberry-pi-4b")
    before = predict_latency(graph, device).latency_ms
    assert before is not None
    mine = MeasuredGraph(graph, 3 * before.p50, "cpu")
    after = predict_latency(graph, device, anchors=(mine,)).latency_ms
    assert after is not None and 2.5 * before.p50 < after.p50 < 3 * before.p50
    others = (replace(mine, unit_kind="gpu"), replace(mine, graph=layer(format="onnx", native="Conv")))
    assert predict_latency(graph, device, anchors=others).latency_ms == before


@pytest.mark.parametrize("name", names("devices"))
def test_every_prediction_names_its_evidence(name: str) -> None:
    device = load_device(name)
    for unit in device.units:
        numerics: Numerics = "float" if "float" in unit.numerics else "int8_static"
        prediction = predict_latency(layer(10**9, numerics, format=unit.formats[0]), device, unit=unit.name)
        starts = ("fitted on ", "scaled from ", "data sheet only: ", "no latency: ")
        assert prediction.basis.startswith(starts)
        assert (prediction.latency_ms is None) == prediction.basis.startswith("no latency: ")
