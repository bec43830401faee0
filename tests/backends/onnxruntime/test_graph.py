"""ONNX graphs: MACs, kinds and numerics of small models with known answers, and of damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgevit.backends.onnxruntime.graph import read_graph
from edgevit.errors import UsageError
from edgevit.results.graph import Graph, Op

FLOAT = TensorProto.FLOAT


def constant(name: str, shape: tuple[int, ...], dtype: str = "float32") -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones(shape, dtype), name)


def save(
    folder: Path,
    nodes: list[onnx.NodeProto],
    constants: list[onnx.TensorProto],
    shape: tuple[int | str, ...],
    opset: int = 18,
) -> Path:
    """Writes a model with one input "x" and the output "y" of unknown shape."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", FLOAT, None)],
        constants,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    path = folder / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets), str(path))
    return path


def only_op(graph: Graph, native: str) -> Op:
    found = [op for op in graph.ops if op.native == native]
    assert len(found) == 1
    return found[0]


def quantized(name: str, dtype: str = "int8") -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """QuantizeLinear and DequantizeLinear on ``name``, giving ``name``_dq."""
    nodes = [
        helper.make_node("QuantizeLinear", [name, f"{name}_s", f"{name}_z"], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", f"{name}_s", f"{name}_z"], [f"{name}_dq"]),
    ]
    return nodes, [constant(f"{name}_s", ()), constant(f"{name}_z", (), dtype)]


def test_convolutions_and_linear(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["c", "d"], ["e"], pads=[1, 1, 1, 1], group=8),
        helper.make_node("GlobalAveragePool", ["e"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "l", "m"], ["y"], transB=1),
    ]
    shapes = {"w": (8, 3, 3, 3), "b": (8,), "d": (8, 1, 3, 3), "l": (10, 8), "m": (10,)}
    constants = [constant(name, shape) for name, shape in shapes.items()]
    graph = read_graph(save(tmp_path, nodes, constants, ("batch", 3, 16, 16)))
    assert [(op.kind, op.macs) for op in graph.ops] == [
        ("conv", 16 * 16 * 8 * 27),
        ("depthwise_conv", 16 * 16 * 8 * 9),
        ("pooling", 0),
        ("reshape", 0),
        ("linear", 80),
    ]
    assert graph.params == 8 * 27 + 8 + 8 * 9 + 80 + 10
    assert graph.int8_mac_share == 0
    assert graph.tensor["x"].shape == (1, 3, 16, 16)
    assert (graph.inputs, graph.outputs) == (("x",), ("y",))


def test_attention_products_and_folded_shapes(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "t"], ["a"]),
        helper.make_node("Softmax", ["a"], ["p"]),
        helper.make_node("MatMul", ["p", "x"], ["v"]),
        helper.make_node("MatMul", ["v", "w"], ["l"]),
        helper.make_node("Reshape", ["l", "s"], ["y"]),
    ]
    graph = read_graph(save(tmp_path, nodes, [constant("w", (4, 4))], (1, 5, 4)))
    assert [op.kind for op in graph.ops] == ["layout", "matmul", "softmax", "matmul", "linear", "reshape"]
    assert graph.macs == 2 * 5 * 5 * 4 + 5 * 4 * 4
    assert graph.params == 16


def test_quantize_dequantize_pairs_are_static_int8(tmp_path: Path) -> None:
    data, scales = quantized("x")
    weights = helper.make_node("DequantizeLinear", ["w", "w_s", "w_z"], ["w_dq"])
    product = helper.make_node("MatMul", ["x_dq", "w_dq"], ["y"])
    constants = [*scales, constant("w", (6, 7), "int8"), constant("w_s", ()), constant("w_z", (), "int8")]
    graph = read_graph(save(tmp_path, [*data, weights, product], constants, (1, 6)))
    assert [op.kind for op in graph.ops] == ["quantize", "quantize", "linear"]
    assert only_op(graph, "MatMul").numerics == "int8_static"
    assert graph.int8_mac_share == 1
    assert graph.params == 42
    assert graph.tensor["w_dq"].size_bytes == 42


def test_only_weights_quantized(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "w_s", "w_z"], ["w_dq"]),
        helper.make_node("MatMul", ["x", "w_dq"], ["y"]),
    ]
    constants = [constant("w", (6, 7), "int8"), constant("w_s", ()), constant("w_z", (), "int8")]
    graph = read_graph(save(tmp_path, nodes, constants, (1, 6)))
    assert only_op(graph, "MatMul").numerics == "int8_weights"
    assert graph.int8_mac_share == 0


def test_float16_weights_stay_float(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["w"], ["w32"], to=FLOAT),
        helper.make_node("MatMul", ["x", "w32"], ["y"]),
    ]
    graph = read_graph(save(tmp_path, nodes, [constant("w", (6, 7), "float16")], (1, 6)))
    assert [op.numerics for op in graph.ops] == ["float"]
    assert graph.tensor["w32"].size_bytes == 84


def test_dynamic_int8(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z", "w_z"], ["i"]),
        helper.make_node("Cast", ["i"], ["y"], to=FLOAT),
    ]
    constants = [constant("w", (6, 7), "int8"), constant("w_z", (7,), "int8")]
    graph = read_graph(save(tmp_path, nodes, constants, (1, 6)))
    product = only_op(graph, "MatMulInteger")
    assert (product.kind, product.macs, product.numerics) == ("linear", 42, "int8_dynamic")
    assert product.inputs == ("q", "w")
    assert graph.params == 42


@pytest.mark.parametrize("opset", [12, 18])
def test_fused_ops_of_onnx_runtime_keep_their_macs(tmp_path: Path, opset: int) -> None:
    fused = {"domain": "com.microsoft"}
    nodes = [
        helper.make_node("Attention", ["x", "w", "b"], ["a"], num_heads=2, **fused),
        helper.make_node("SkipLayerNormalization", ["a", "x", "g", "g"], ["n", "", "", "sum"], **fused),
        helper.make_node("FusedMatMul", ["n", "sum"], ["m"], transB=1, **fused),
        helper.make_node("FastGelu", ["m"], ["f"], **fused),
        helper.make_node("MultiHeadAttention", ["x", "x", "x"], ["h"], num_heads=2, **fused),
        helper.make_node("MatMul", ["f", "h"], ["y"]),
    ]
    constants = [constant("w", (8, 24)), constant("b", (24,)), constant("g", (8,))]
    graph = read_graph(save(tmp_path, nodes, constants, (1, 5, 8), opset))
    assert only_op(graph, "Attention").macs == 5 * 8 * 24 + 2 * 5 * 5 * 8
    assert only_op(graph, "FusedMatMul").macs == 5 * 5 * 8
    assert only_op(graph, "MultiHeadAttention").macs == 2 * 5 * 5 * 8
    assert only_op(graph, "MatMul").macs == 5 * 5 * 8
    assert only_op(graph, "FastGelu").kind == "activation"
    assert graph.params == 8 * 24 + 24 + 8


def test_block_quantized_weights(tmp_path: Path) -> None:
    node = helper.make_node(
        "MatMulNBits", ["x", "w", "s"], ["y"], K=64, N=10, bits=4, block_size=32, domain="com.microsoft"
    )
    graph = read_graph(save(tmp_path, [node], [constant("w", (10, 2, 16), "uint8"), constant("s", (20,))], (1, 3, 64)))
    product = graph.ops[0]
    assert (product.kind, product.macs, product.numerics) == ("linear", 3 * 64 * 10, "int8_weights")
    assert graph.params == 640
    assert graph.tensor["w"].size_bytes == 320


def test_fused_convolution(tmp_path: Path) -> None:
    node = helper.make_node("FusedConv", ["x", "w"], ["y"], activation="Relu", strides=[2, 2], domain="com.microsoft")
    graph = read_graph(save(tmp_path, [node], [constant("w", (4, 3, 2, 2))], (1, 3, 8, 8)))
    assert (graph.ops[0].kind, graph.macs) == ("conv", 4 * 4 * 4 * 12)


@pytest.mark.parametrize(
    ("equation", "macs", "kind"),
    [
        ("bij,bkj->bik", 5 * 5 * 4, "matmul"),
        ("...ij,...kj->...ik", 5 * 5 * 4, "matmul"),
        ("bij,bij->bij", 0, "elementwise"),
    ],
)
def test_einsum(tmp_path: Path, equation: str, macs: int, kind: str) -> None:
    node = helper.make_node("Einsum", ["x", "x"], ["y"], equation=equation)
    graph = read_graph(save(tmp_path, [node], [], (1, 5, 4)))
    assert (graph.macs, graph.ops[0].kind) == (macs, kind)


def test_an_unknown_op_fails_rather_than_losing_macs(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mystery", ["x"], ["m"], domain="example"), helper.make_node("Relu", ["m"], ["y"])]
    with pytest.raises(UsageError, match="cannot be inferred"):
        read_graph(save(tmp_path, nodes, [], (1, 4)))


def test_open_image_size(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    with pytest.raises(UsageError, match=r"small\.onnx.*open"):
        read_graph(save(tmp_path, [node], [constant("w", (4, 3, 3, 3))], (1, 3, "height", "width")))


def test_every_cut_of_a_file_is_refused_or_read(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    path = save(tmp_path, [node], [constant("w", (4, 3, 3, 3))], (1, 3, 8, 8))
    content = path.read_bytes()
    refused = 0
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        try:
            read_graph(path)
        except UsageError as error:
            assert "small.onnx" in error.message
            refused += 1
    assert refused > 0.9 * len(content) / 7


@pytest.mark.parametrize("content", [b"", b"TFL3 not onnx", b"<net></net>", bytes(range(256))])
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"foreign\.onnx"):
        read_graph(path)


def test_missing_file_and_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_graph(tmp_path / "absent.onnx")
    path = save(tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], [constant("w", (600, 7))], (1, 600))
    onnx.save(onnx.load(str(path)), str(path), save_as_external_data=True, location="weights.bin")
    assert read_graph(path).macs == 4200
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(UsageError, match=r"weights\.bin"):
        read_graph(path)


def test_third_party_models(shared_data: Path) -> None:
    folder = shared_data / "edge_models" / "onnx"
    mobilenet = read_graph(folder / "mobilenet_v2_torchvision_qdq_uint8.onnx")
    assert mobilenet.macs == pytest.approx(0.3008e9, rel=0.01)
    assert mobilenet.int8_mac_share > 0.99
    transformer = read_graph(folder / "cct_2_32x32_fp32.onnx")
    assert transformer.int8_mac_share == 0
    assert {"conv", "linear", "matmul"} <= {op.kind for op in transformer.ops}
