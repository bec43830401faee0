"""OpenVINO IR graphs: MACs, kinds and numerics of small models with known answers, and of damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from edgevit.backends.openvino.graph import read_graph
from edgevit.errors import UsageError
from edgevit.results.graph import Graph, Op


def save(folder: Path, output: Any, inputs: list[Any]) -> Path:
    path = folder / "small.xml"
    openvino.save_model(openvino.Model([output], inputs, "small"), path, compress_to_fp16=False)
    return path


def image(*shape: int) -> Any:
    return ops.parameter(shape, np.float32, name="x")


def ones(*shape: int, dtype: type = np.float32) -> Any:
    return ops.constant(np.ones(shape, dtype))


def quantize(node: Any) -> Any:
    return ops.fake_quantize(node, ones(1), ones(1), ones(1), ones(1), 256)


def int8_weights(*shape: int) -> Any:
    """i8 constant, converted, shifted by the zero point and scaled per row, as NNCF writes it."""
    expanded = ops.convert(ones(*shape, dtype=np.int8), np.float32)
    shifted = ops.subtract(expanded, ones(shape[0], *[1] * (len(shape) - 1)))
    return ops.multiply(shifted, ones(shape[0], *[1] * (len(shape) - 1)))


def with_macs(graph: Graph) -> list[Op]:
    return [op for op in graph.ops if op.macs]


def test_convolutions(tmp_path: Path) -> None:
    x = image(1, 3, 16, 16)
    stride, pad = [1, 1], [1, 1]
    c = ops.convolution(x, ones(8, 3, 3, 3), stride, pad, pad, stride)
    d = ops.group_convolution(c, ones(8, 1, 1, 3, 3), stride, pad, pad, stride)
    g = ops.group_convolution(d, ones(2, 4, 4, 1, 1), stride, [0, 0], [0, 0], stride)
    t = ops.convolution_backprop_data(g, ones(8, 5, 2, 2), [2, 2])
    graph = read_graph(save(tmp_path, t, [x]))
    assert [(op.kind, op.macs) for op in with_macs(graph)] == [
        ("conv", 256 * 8 * 27),
        ("depthwise_conv", 256 * 8 * 9),
        ("conv", 256 * 8 * 4),
        ("conv", 256 * 8 * 5 * 4),
    ]
    assert graph.params == 8 * 27 + 72 + 32 + 160
    assert graph.inputs == ("x",)


def test_linear_and_attention(tmp_path: Path) -> None:
    x = image(1, 5, 4)
    linear = ops.matmul(x, ones(4, 4), False, True)
    product = ops.matmul(ops.softmax(ops.matmul(linear, x, False, True), 2), x, False, False)
    attention = ops.scaled_dot_product_attention(product, x, x)
    transposed = ops.matmul(attention, ones(5, 3), True, False)
    graph = read_graph(save(tmp_path, transposed, [x]))
    assert [(op.native, op.kind, op.macs) for op in with_macs(graph)] == [
        ("MatMul", "linear", 5 * 4 * 4),
        ("MatMul", "matmul", 5 * 5 * 4),
        ("MatMul", "matmul", 5 * 5 * 4),
        ("ScaledDotProductAttention", "matmul", 2 * 5 * 5 * 4),
        ("MatMul", "linear", 4 * 3 * 5),
    ]


def test_float16_weights_are_float(tmp_path: Path) -> None:
    x = image(1, 6)
    node = ops.matmul(x, ops.convert(ones(6, 7, dtype=np.float16), np.float32), False, False)
    graph = read_graph(save(tmp_path, node, [x]))
    assert [(op.kind, op.numerics) for op in graph.ops] == [("linear", "float")]
    assert graph.params == 42
    assert sum(tensor.size_bytes for tensor in graph.tensors if tensor.constant) == 84


def test_compressed_weights_alone_are_not_int8_products(tmp_path: Path) -> None:
    x = image(1, 6)
    node = ops.matmul(x, int8_weights(7, 6), False, True)
    graph = read_graph(save(tmp_path, node, [x]))
    assert [(op.native, op.numerics, op.macs) for op in graph.ops] == [("MatMul", "int8_weights", 42)]
    assert graph.int8_mac_share == 0
    assert graph.params == 42
    assert sum(tensor.size_bytes for tensor in graph.tensors if tensor.constant) == 42


def test_fake_quantize_with_int8_weights_is_static_int8(tmp_path: Path) -> None:
    x = image(1, 8, 6)
    moved = ops.transpose(quantize(x), [0, 2, 1])
    node = ops.matmul(moved, int8_weights(8, 5), False, False)
    graph = read_graph(save(tmp_path, node, [x]))
    product = with_macs(graph)[0]
    assert (product.kind, product.numerics) == ("linear", "int8_static")
    assert graph.int8_mac_share == 1
    assert [op.kind for op in graph.ops] == ["quantize", "layout", "linear"]


def test_attention_with_float_values_is_float(tmp_path: Path) -> None:
    x = image(1, 2, 5, 4)
    mixed = read_graph(save(tmp_path, ops.scaled_dot_product_attention(quantize(x), quantize(x), x), [x]))
    whole = read_graph(save(tmp_path, ops.scaled_dot_product_attention(quantize(x), quantize(x), quantize(x)), [x]))
    assert (mixed.int8_mac_share, whole.int8_mac_share) == (0, 1)


def test_open_batch_is_one_and_other_open_axes_are_refused(tmp_path: Path) -> None:
    x = image(-1, 6)
    assert read_graph(save(tmp_path, ops.matmul(x, ones(6, 7), False, False), [x])).macs == 42
    y = image(1, 3, -1, -1)
    convolution = ops.convolution(y, ones(8, 3, 3, 3), [1, 1], [0, 0], [0, 0], [1, 1])
    with pytest.raises(UsageError, match="open shape"):
        read_graph(save(tmp_path, convolution, [y]))


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    x = image(1, 6)
    path = save(tmp_path, ops.matmul(x, ones(6, 7), False, False), [x])
    weights, content = path.with_suffix(".bin"), path.read_bytes()
    for cut in (0, 3, 40, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:cut])
        with pytest.raises(UsageError, match=r"small\.xml"):
            read_graph(path)
    path.write_bytes(b'<?xml version="1.0"?><network/>')
    with pytest.raises(UsageError, match=r"small\.xml"):
        read_graph(path)
    path.write_bytes(content)
    weights.write_bytes(weights.read_bytes()[:9])
    with pytest.raises(UsageError, match=r"small\.xml"):
        read_graph(path)
    weights.unlink()
    with pytest.raises(UsageError, match=r"small\.xml"):
        read_graph(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_graph(tmp_path / "absent.xml")
