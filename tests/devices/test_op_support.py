"""Which ops a compute unit cannot run, with the reason and the number of each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.devices.device import load_device
from edgevit.devices.op_support import accepts, unsupported_ops
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
