"""Which ops a compute unit cannot run, with the reason and the number of each, in how many parts, and what to change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.devices.device import OpLimits, Unit, load_device
from edgevit.devices.op_support import CAPTURED, accepts, check_support, open_shapes, unsupported_ops
from edgevit.results.graph import Graph, Op
from edgevit.spec.schemes import Numerics
from tests.devices.graphs import layer, tensor

EDGE_TPU = load_device("coral-edge-tpu").units[0]
PHONE = load_device("galaxy-s24-npu").units[0]


def extended(graph: Graph, *ops: Op) -> Graph:
    """A graph that goes on with these ops; the last one makes the output."""
    known = {each.name for each in graph.tensors}
    made = [tensor(name, (1, 1000)) for op in ops for name in op.outputs if name not in known]
    return replace(graph, ops=(*graph.ops, *ops), tensors=(*graph.tensors, *made), outputs=ops[-1].outputs)


def test_an_edge_tpu_cannot_run_a_vision_transformer() -> None:
    graph = extended(
        layer(numerics="int8_static", kind="linear", native="FULLY_CONNECTED"),
        Op("g", "GELU", "activation", ("y",), ("z",), 0, "int8_static"),
        Op("m", "BATCH_MATMUL", "matmul", ("y", "z"), ("z",), 10**6, "int8_static"),
        Op("h", "GELU", "activation", ("y",), ("z",), 0, "int8_static"),
        Op("s", "SOFTMAX", "softmax", ("y",), ("z",), 0, "float"),
    )
    assert unsupported_ops(graph, EDGE_TPU) == ("GELU (2 x)", "BATCH_MATMUL (1 x)", "SOFTMAX in float (1 x)")


@pytest.mark.parametrize(
    ("numerics", "reasons"),
    [
        ("int8_static", ()),
        ("float", ("CONV_2D in float (1 x)",)),
        ("int8_dynamic", ("CONV_2D in dynamic int8 (1 x)",)),
        ("int16_static", ("CONV_2D in static int16 (1 x)",)),
        ("int8_weights", ("CONV_2D in int8 weights with wider activations (1 x)",)),
    ],
)
def test_an_edge_tpu_runs_static_int8_only(numerics: Numerics, reasons: tuple[str, ...]) -> None:
    assert unsupported_ops(layer(numerics=numerics), EDGE_TPU) == reasons


def test_the_host_converts_inputs_and_outputs() -> None:
    graph = extended(
        layer(numerics="int8_static"), Op("last", "DEQUANTIZE", "quantize", ("y",), ("z",), 0, "int8_static")
    )
    assert unsupported_ops(graph, EDGE_TPU) == ()
    inside = extended(graph, Op("after", "RELU", "activation", ("z",), ("v",), 0))
    assert unsupported_ops(inside, EDGE_TPU) == ("DEQUANTIZE (1 x)", "RELU in float (1 x)")


def test_computed_tensors_have_a_largest_number_of_axes_and_constants_have_none() -> None:
    graph = layer()
    assert unsupported_ops(graph, PHONE) == ()
    deep = replace(graph, tensors=(tensor("x", (1, 1, 1, 1, 1, 9)), *graph.tensors[1:]))
    assert unsupported_ops(deep, PHONE) == ("CONV_2D with 6 axes (1 x)",)
    weights = tensor("w", (1, 1, 1, 1, 1, 9), constant=True)
    assert unsupported_ops(replace(graph, tensors=(graph.tensors[0], weights, graph.tensors[2])), PHONE) == ()


def test_a_unit_that_runs_float_need_not_run_dynamic_int8() -> None:
    assert unsupported_ops(layer(numerics="int8_dynamic"), PHONE) == ("CONV_2D in dynamic int8 (1 x)",)


@pytest.mark.parametrize(("format", "read"), [("tflite", True), ("onnx", False), ("xml", False)])
def test_the_format_has_to_be_one_of_the_units(format: str, read: bool) -> None:
    assert accepts(replace(layer(), format=format), EDGE_TPU) is read


def test_a_unit_for_openvino_reads_xml() -> None:
    assert accepts(layer(format="xml"), EDGE_TPU.model_copy(update={"runtimes": ("openvino",)}))


@pytest.mark.parametrize("device", ["raspberry-pi-5", "coral-edge-tpu", "galaxy-s24-npu"])
def test_an_op_that_no_runtime_brings_is_unsupported_everywhere(device: str) -> None:
    """A file with Flex ops had a predicted latency on boards where it does not load."""
    flex = Op("f", "FlexErf", "other", ("y",), ("z",), 0, foreign=True)
    for unit in load_device(device).units:
        found = unsupported_ops(extended(layer(), flex), unit)
        assert "FlexErf, which is none of the runtime's own ops (1 x)" in found


def limited(unit: Unit, **limits: object) -> Unit:
    return unit.model_copy(update={"ops": OpLimits.model_validate(limits)})


def chain(*natives: str) -> Graph:
    """A convolution and then these ops, one after the other, in static int8."""
    names = "yzabcdefgh"
    ops = [Op(n, n, "activation", (names[i],), (names[i + 1],), 0, "int8_static") for i, n in enumerate(natives)]
    return extended(layer(numerics="int8_static"), *ops)


def test_each_reason_has_its_code_and_what_to_change() -> None:
    topk = extended(layer(format="onnx", native="Conv"), Op("t", "TopK", "topk", ("y",), ("z",), 0))
    (found,) = check_support(topk, PHONE).fallbacks
    assert (found.reason, found.change) == ("op", "--form arithmetic selects tokens without it")
    (found,) = check_support(layer(), EDGE_TPU).fallbacks[:1]
    assert (found.reason, found.change) == ("numerics", "--scheme static_wi8_ai8")
    (found,) = check_support(layer(numerics="int8_dynamic"), PHONE).fallbacks
    assert (found.reason, found.change) == ("numerics", "--scheme static_wi8_ai8 or fp32")
    small = layer(macs=10, numerics="int8_dynamic", kind="linear", native="FULLY_CONNECTED").ops[0]
    head = extended(layer(numerics="int8_static"), replace(small, name="head", inputs=("y", "w"), outputs=("z",)))
    (found,) = [fallback for fallback in check_support(head, PHONE).fallbacks if fallback.blocks]
    assert (found.op, found.change) == ("FULLY_CONNECTED", "--integer-io int8, which makes the last layer static too")
    (found,) = check_support(replace(layer(), format="xml"), PHONE).fallbacks
    assert (found.reason, found.change) == ("format", "export ONNX or TFLite")
    (found,) = check_support(extended(layer(), Op("x", "RFFT2D", "other", ("y",), ("z",), 0)), PHONE).fallbacks
    assert (found.reason, found.text) == ("unknown_op", "RFFT2D, of which it is not known what it takes (1 x)")
    (found,) = open_shapes(PHONE, "image").fallbacks
    assert (found.reason, found.change) == ("dynamic_shape", "export it with static shapes")


def test_float_inputs_of_an_integer_unit_are_told_and_do_not_block() -> None:
    converted = extended(
        layer(numerics="int8_static"), Op("last", "DEQUANTIZE", "quantize", ("y",), ("z",), 0, "int8_static")
    )
    support = check_support(converted, EDGE_TPU)
    assert [(entry.reason, entry.change) for entry in support.fallbacks] == [("float_io", "--integer-io int8")]
    assert support.runs and support.partitions == 1
    assert check_support(layer(numerics="int8_static"), EDGE_TPU).fallbacks == ()


def test_long_axes_and_scales_for_each_channel_are_told() -> None:
    graph = layer(numerics="int8_static")
    short = limited(EDGE_TPU, max_axis_length=500)
    assert unsupported_ops(graph, short) == ("CONV_2D with 1000 elements along an axis (1 x)",)
    scaled = replace(graph, tensors=(graph.tensors[0], replace(graph.tensors[1], scales=8), graph.tensors[2]))
    (found,) = check_support(scaled, load_device("stm32mp25").units[0]).fallbacks
    assert (found.reason, found.text) == ("per_channel_weights", "CONV_2D with a scale for each channel (1 x)")
    assert check_support(graph, load_device("stm32mp25").units[0]).runs


def test_the_graph_is_cut_around_what_falls_back() -> None:
    """conv, X, relu, X, relu on a unit without X: three parts where the processor helps out, one where it does the rest."""
    graph = chain("X", "RELU", "X", "RELU")
    phone = limited(PHONE, unsupported=("X",))
    assert check_support(graph, phone).partitions == 3
    assert check_support(graph, phone).mac_share == 1.0
    assert check_support(graph, EDGE_TPU).partitions == 1
    assert check_support(graph, limited(PHONE, unsupported=("CONV_2D",))).mac_share == 0.0
    hailo = load_device("hailo-8").units[0]
    assert check_support(layer(), hailo).partitions == 1
    refused = check_support(extended(layer(), Op("t", "TOPK_V2", "topk", ("y",), ("z",), 0)), hailo)
    assert (refused.partitions, refused.mac_share) == (0, 0.0)


def test_branches_that_are_ready_run_together() -> None:
    """Two branches, each with one op that falls back: the unit runs what is before, and then what is after both."""
    graph = extended(
        layer(numerics="int8_static"),
        Op("a", "X", "activation", ("y",), ("a",), 0, "int8_static"),
        Op("b", "X", "activation", ("y",), ("b",), 0, "int8_static"),
        Op("c", "RELU", "activation", ("a",), ("c",), 0, "int8_static"),
        Op("d", "RELU", "activation", ("b",), ("d",), 0, "int8_static"),
        Op("e", "ADD", "elementwise", ("c", "d"), ("e",), 0, "int8_static"),
    )
    assert check_support(graph, limited(PHONE, unsupported=("X",))).partitions == 2


def test_openvino_files_run_where_openvino_does() -> None:
    graph = layer(format="xml", native="Convolution")
    for name, unit in (("raspberry-pi-5", "cpu"), ("intel-core-ultra-1", "cpu"), ("intel-core-ultra-1", "npu")):
        there = next(each for each in load_device(name).units if each.name == unit)
        assert check_support(graph, there).runs
    for name in ("galaxy-s24-npu", "rk3588", "jetson-orin-nano"):
        support = check_support(graph, load_device(name).units[0])
        assert support.unsupported_ops == ("the format of .xml files",)
        assert "ONNX" in support.fallbacks[0].change or "TFLite" in support.fallbacks[0].change


def test_of_a_captured_graph_kinds_and_numerics_are_checked_and_no_names() -> None:
    """Its ops have PyTorch's names, which no list of a runtime has."""
    graph = layer(format=CAPTURED, native="convolution")
    assert check_support(graph, load_device("raspberry-pi-5").units[0]).runs
    assert check_support(graph, limited(PHONE, supported=("CONV_2D",), max_rank=1)).runs
    (found,) = check_support(graph, limited(PHONE, unsupported_kinds=("conv",))).fallbacks
    assert (found.op, found.reason) == ("convolution", "op")
    assert [fallback.reason for fallback in check_support(graph, EDGE_TPU).fallbacks] == ["numerics", "float_io"]
    unknown = extended(graph, Op("x", "fft_rfft2", "other", ("y",), ("z",), 0))
    (found,) = check_support(unknown, PHONE).fallbacks
    assert (found.op, found.reason, found.count) == ("fft_rfft2", "unknown_op", 1)
