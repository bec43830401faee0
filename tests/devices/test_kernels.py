from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from edgevit.devices.kernels import Kernel, kernels
from edgevit.results.graph import Graph, Op, Tensor, size_bytes
from edgevit.spec.recipe import OpKind

SHAPE = (1, 4, 8, 8)
VALUES = math.prod(SHAPE)


def graph(ops: Sequence[Op], shapes: dict[str, tuple[int, ...]], format: str = "onnx") -> Graph:
    """Names that begin with "w" are constants; tensors without a shape have ``SHAPE``."""
    names = dict.fromkeys(name for op in ops for name in (*op.inputs, *op.outputs))
    tensors = tuple(
        Tensor(name, shape := shapes.get(name, SHAPE), "float32", size_bytes(shape, "float32"), name.startswith("w"))
        for name in names
    )
    return Graph(format, tuple(ops), tensors, ("x",), (ops[-1].outputs[0],))


def op(native: str, kind: OpKind, inputs: str, output: str, macs: int = 0) -> Op:
    return Op(output, native, kind, tuple(inputs.split()), (output,), macs)


def summary(found: Sequence[Kernel]) -> list[tuple[str, int, int, int, bool]]:
    return [(k.family, k.macs, k.read + k.written, k.heavy, k.light) for k in found]


CONV = op("Conv", "conv", "x w", "y", 1000)
SHAPES = {"w": (4, 4, 3, 3), "w1": (1,), "wc": (1, 4, 1, 1), "m": (1, 4, 8, 1), "v": (1, 4, 8, 1)}


@pytest.mark.parametrize(
    "written_out",
    [
        [op("Gelu", "activation", "y", "g")],
        [
            op("Div", "elementwise", "y w1", "a"),
            op("Erf", "activation", "a", "b"),
            op("Add", "elementwise", "b w1", "c"),
            op("Mul", "elementwise", "y c", "d"),
            op("Mul", "elementwise", "d w1", "g"),
        ],
        [op("Sigmoid", "activation", "y", "s"), op("Mul", "elementwise", "y s", "g")],
        [
            op("Add", "elementwise", "y w1", "a"),
            op("Clip", "activation", "a", "b"),
            op("Mul", "elementwise", "y b", "g"),
        ],
    ],
)
def test_an_activation_is_one_however_it_is_written_and_part_of_the_convolution(written_out: list[Op]) -> None:
    assert summary(kernels(graph([CONV, *written_out], SHAPES))) == [("conv", 1000, 2 * VALUES, VALUES, True)]


def test_bias_and_relu_are_part_of_the_product() -> None:
    ops = [CONV, op("Add", "elementwise", "y wc", "b"), op("Relu", "activation", "b", "r")]
    assert summary(kernels(graph(ops, SHAPES))) == [("conv", 1000, 2 * VALUES, 0, True)]


def test_a_residual_and_the_activation_after_it_are_kernels() -> None:
    ops = [CONV, op("Add", "elementwise", "y x", "b"), op("Relu", "activation", "b", "r")]
    found = summary(kernels(graph(ops, SHAPES)))
    assert found[1:] == [("elementwise", 0, 3 * VALUES, 0, True), ("activation", 0, 2 * VALUES, 0, True)]


def test_layer_normalization_written_out_is_the_one_op() -> None:
    whole = [op("LayerNormalization", "normalization", "x w", "n")]
    written_out = [
        op("MEAN", "reduction", "x", "m"),
        op("SQUARED_DIFFERENCE", "elementwise", "x m", "a"),
        op("MEAN", "reduction", "a", "v"),
        op("ADD", "elementwise", "v w1", "b"),
        op("RSQRT", "elementwise", "b", "c"),
        op("SUB", "elementwise", "x m", "d"),
        op("MUL", "elementwise", "d c", "e"),
        op("MUL", "elementwise", "e wc", "n"),
    ]
    found = kernels(graph(written_out, {**SHAPES, "b": SHAPES["v"], "c": SHAPES["v"]}))
    assert summary(found) == summary(kernels(graph(whole, SHAPES))) == [("normalization", 0, 2 * VALUES, 0, True)]


def test_a_mean_that_nothing_is_read_beside_is_a_pooling() -> None:
    ops = [CONV, op("ReduceMean", "reduction", "y", "p"), op("Mul", "elementwise", "p wc", "q")]
    found = kernels(graph(ops, {**SHAPES, "p": (1, 4, 1, 1), "q": (1, 4, 1, 1)}))
    assert [(k.family, k.light) for k in found] == [("conv", True), ("pooling", False), ("elementwise", True)]


def test_renaming_padding_and_scaling_by_one_number_are_free() -> None:
    ops = [
        op("Reshape", "reshape", "x", "a"),
        op("Pad", "layout", "a", "b"),
        op("QuantizeLinear", "quantize", "b", "c"),
        op("Mul", "elementwise", "c w1", "d"),
    ]
    assert kernels(graph(ops, SHAPES)) == ()


def test_slices_of_one_tensor_are_one_kernel() -> None:
    ops = [op("Slice", "layout", "x w1", "a"), op("Slice", "layout", "x w1", "b"), op("Transpose", "layout", "a", "c")]
    assert summary(kernels(graph(ops, SHAPES))) == [
        ("layout", 0, 4 * VALUES, 0, True),
        ("layout", 0, 2 * VALUES, 0, True),
    ]


def test_fused_attention_is_two_products_and_a_softmax() -> None:
    shapes = {"q": (1, 2, 5, 3), "k": (1, 2, 7, 3), "v": (1, 2, 7, 4), "y": (1, 2, 5, 4)}
    names = ("q", "k", "v")
    made = Op("y", "ScaledDotProductAttention", "matmul", names, ("y",), 2 * 5 * 7 * (3 + 4))
    found = kernels(Graph("xml", (made,), graph([made], shapes).tensors, names, ("y",)))
    assert [(k.family, k.macs) for k in found] == [("attention", 210), ("softmax", 0), ("attention", 280)]
    assert found[0].written == found[2].read - 56 == 70


@pytest.mark.parametrize(
    ("format", "native", "weights", "shape"),
    [
        ("onnx", "Conv", (8, 4, 3, 3), (1, 4, 16, 16)),
        ("aten", "convolution", (8, 4, 3, 3), (1, 4, 16, 16)),
        ("tflite", "CONV_2D", (8, 3, 3, 4), (1, 16, 16, 4)),
        ("xml", "Convolution", (8, 4, 3, 3), (1, 4, 16, 16)),
    ],
)
def test_the_geometry_of_a_convolution_in_every_format(
    format: str, native: str, weights: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    made = (1, 8, 8, 8)
    (kernel,) = kernels(graph([op(native, "conv", "x w", "y", 9)], {"x": shape, "w": weights, "y": made}, format))
    assert (kernel.family, kernel.window, kernel.stride, kernel.channels, kernel.weights) == ("conv", 3, 2, (4, 8), 288)


@pytest.mark.parametrize(
    ("format", "native", "weights"),
    [
        ("onnx", "Conv", (4, 1, 5, 5)),
        ("tflite", "DEPTHWISE_CONV_2D", (1, 5, 5, 4)),
        ("xml", "GroupConvolution", (4, 1, 1, 5, 5)),
    ],
)
def test_the_geometry_of_a_depthwise_convolution(format: str, native: str, weights: tuple[int, ...]) -> None:
    shape = (1, 8, 8, 4) if format == "tflite" else (1, 4, 8, 8)
    ops = [op(native, "depthwise_conv", "x w", "y", 9)]
    (kernel,) = kernels(graph(ops, {"x": shape, "w": weights, "y": shape}, format))
    assert (kernel.family, kernel.window, kernel.stride, kernel.weights) == ("depthwise", 5, 1, 100)


def test_two_groups_are_a_grouped_convolution() -> None:
    shapes = {"x": (1, 8, 4, 4), "w": (6, 4, 1, 1), "y": (1, 6, 4, 4)}
    (kernel,) = kernels(graph([op("Conv", "conv", "x w", "y", 9)], shapes))
    assert (kernel.family, kernel.channels) == ("grouped", (4, 3))
