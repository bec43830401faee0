"""Sums over the ops of a graph, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from edgevit.results.graph import Graph, Op, Tensor, folded_constant, size_bytes
from edgevit.spec.schemes import Numerics


def tensor(name: str, shape: tuple[int, ...], dtype: str = "float32", constant: bool = True) -> Tensor:
    return Tensor(name, shape, dtype, size_bytes(shape, dtype), constant)


def graph_of(*layers: tuple[Numerics, int]) -> Graph:
    """A linear layer for each, of these numerics and MACs, with 6 weights and 2 int32 biases of its own."""
    x, y = tensor("x", (1, 3), constant=False), tensor("y", (1, 2), constant=False)
    tensors, ops = [x, y], []
    for number, (numerics, macs) in enumerate(layers):
        tensors += [tensor(f"w{number}", (2, 3), "int8"), tensor(f"b{number}", (2,), "int32")]
        ops.append(Op(f"op{number}", "MUL", "linear", ("x", f"w{number}", f"b{number}"), ("y",), macs, numerics))
    return Graph("tflite", tuple(ops), tuple(tensors), ("x",), ("y",))


@pytest.mark.parametrize(
    ("shape", "dtype", "size"),
    [((2, 3), "float32", 24), ((3,), "int4", 2), ((), "float16", 2), ((5,), "uint8", 5), ((0, 4), "float32", 0)],
)
def test_the_size_of_a_tensor(shape: tuple[int, ...], dtype: str, size: int) -> None:
    assert size_bytes(shape, dtype) == size


def test_macs_params_and_share_of_int8() -> None:
    graph = graph_of(("int8_static", 30), ("float", 60), ("int8_dynamic", 10))
    assert (graph.macs, graph.params, graph.int8_mac_share) == (100, 3 * (6 + 2), 0.4)
    assert [op.name for op in graph.layers] == ["op0", "op1", "op2"]
    assert graph_of().int8_mac_share == 0


def test_single_numbers_and_indices_are_no_parameters() -> None:
    tensors = (tensor("x", (1, 3), constant=False), tensor("eps", ()), tensor("index", (4,), "int64"))
    op = Op("op", "ADD", "elementwise", ("x", "eps", "index"), ("x",), 0)
    assert Graph("onnx", (op,), tensors, ("x",), ("x",)).params == 0


@pytest.mark.parametrize(
    ("layers", "words", "in_float"),
    [
        ((("float", 5), ("float", 9)), "float", 0),
        ((("int8_static", 5), ("float", 9)), "static int8", 1),
        ((("int8_static", 5), ("int8_dynamic", 9)), "static and dynamic int8", 0),
        ((("int8_weights", 5), ("float", 9)), "weights only", 1),
        ((("int16_static", 9), ("int8_static", 5)), "static int16", 0),
    ],
)
def test_numerics_of_a_graph_and_layers_kept_in_float(
    layers: tuple[tuple[Numerics, int], ...], words: str, in_float: int
) -> None:
    graph = graph_of(*layers)
    assert (graph.numerics, graph.float_layer_count) == (words, in_float)


def test_conversions_are_counted() -> None:
    graph = graph_of(("int8_static", 5))
    quantize = Op("q", "QUANTIZE", "quantize", ("x",), ("y",), 0)
    assert Graph("tflite", (quantize, *graph.ops, quantize), graph.tensors, ("x",), ("y",)).conversions == 2


def test_expanded_int8_weights_count_as_int8() -> None:
    """Convert, subtract the zero point, multiply by the scale: the values are those of the int8 constant."""
    expanded = tensor("expanded", (8, 4), constant=False)
    folded = folded_constant(expanded, [tensor("w", (8, 4), "int8"), tensor("scale", (8, 1))])
    assert folded is not None
    assert (folded.constant, folded.dtype, folded.size_bytes, folded.narrow) == (True, "int8", 32, True)


def test_a_constant_of_another_size_keeps_its_declared_type() -> None:
    table = folded_constant(tensor("table", (16,), constant=False), [tensor("indices", (4,), "int8")])
    assert table is not None and (table.dtype, table.size_bytes) == ("float32", 64)


def test_what_depends_on_an_input_is_no_constant() -> None:
    made = tensor("made", (4,), constant=False)
    assert folded_constant(made, [tensor("w", (4,)), tensor("x", (4,), constant=False)]) is None
    assert folded_constant(made, []) is None
