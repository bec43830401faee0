"""Stand-ins for ONNX Runtime's own ops, so that onnx's shape inference can pass them.

Each op of the com.microsoft domain that onnx has no schema for is replaced, for shape inference only, by standard ops
that make tensors of the same shapes. Source: ContribOperators.md of microsoft/onnxruntime.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from onnx import helper

_Shapes = dict[str, tuple[int, ...]]


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Returns the value of an attribute of a node, or ``default`` when it is not given."""
    for candidate in node.attribute:
        if candidate.name == name:
            return helper.get_attribute_value(candidate)
    return default


def stand_in(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Returns standard nodes that make outputs of the same shapes, or ``node`` itself if none are known.

    Args:
        node: A node of the com.microsoft domain, or a standard op in a version before it was standard.
        constants: Shapes of the initializers, by name.
        model: Receives the initializers (without values) that a stand-in needs.
    """
    build = _STAND_INS.get(node.op_type)
    made = build(node, constants, model) if build else None
    if made is None:
        return [node]
    if node.op_type.startswith("Skip") and len(node.output) > 3 and node.output[3]:  # the sum before normalization
        return [made, helper.make_node("Identity", [node.input[0]], [node.output[3]])]
    return [made]


def _node(op_type: str, node: onnx.NodeProto, inputs: list[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs, list(node.output[:1]), name=node.name, **attributes)


def _kept(node: onnx.NodeProto, *names: str) -> dict[str, Any]:
    """Returns those of the named attributes that the node has."""
    given = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {name: given[name] for name in names if name in given}


def _same_as(position: int) -> Callable[..., onnx.NodeProto]:
    def build(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
        return _node("Identity", node, [node.input[position]])

    return build


def _broadcast(*positions: int) -> Callable[..., onnx.NodeProto]:
    def build(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
        return _node("Add", node, [node.input[position] for position in positions])

    return build


def _standard(*attributes: str) -> Callable[..., onnx.NodeProto]:
    """Makes the standard op of the same name; that of a fused op is without the activation."""

    def build(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
        op_type = node.op_type.removeprefix("Fused")
        return _node(op_type, node, list(node.input[:3]), **_kept(node, *attributes))

    return build


def _fused_matmul(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto | None:
    if attribute(node, "transBatchA", 0) or attribute(node, "transBatchB", 0):
        return None
    left = "...ki" if attribute(node, "transA", 0) else "...ik"
    right = "...jk" if attribute(node, "transB", 0) else "...kj"
    return _node("Einsum", node, list(node.input[:2]), equation=f"{left},{right}->...ij")


def _matmul(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
    return _node("MatMul", node, list(node.input[:2]))


def _quantized_gemm(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
    return _node("Gemm", node, [node.input[0], node.input[3]], **_kept(node, "transA", "transB"))


def _block_matmul(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
    shape = (attribute(node, "K", 0), attribute(node, "N", 0))
    return _node("MatMul", node, [node.input[0], _placeholder(node, shape, model)])


def _attention(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto | None:
    weights = constants.get(node.input[1])
    if weights is None:
        return None
    made = attention_widths(node, weights)[2]
    return _node("MatMul", node, [node.input[0], _placeholder(node, (weights[0], made), model)])


def attention_widths(node: onnx.NodeProto, weights: tuple[int, ...]) -> tuple[int, int, int]:
    """Returns the widths of query, key and value of an Attention or QAttention node.

    Args:
        node: The node.
        weights: Shape of its weights, [hidden, query + key + value].
    """
    sizes = attribute(node, "qkv_hidden_sizes", None) or [weights[1] // 3] * 3
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def _concat(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
    return _node("Concat", node, list(node.input[2::3]), axis=attribute(node, "axis", 1))


def _average_pool(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
    kept = _kept(node, "auto_pad", "ceil_mode", "count_include_pad", "kernel_shape", "pads", "strides")
    return _node("AveragePool", node, [node.input[0]], **kept)


def _global_average_pool(node: onnx.NodeProto, constants: _Shapes, model: onnx.ModelProto) -> onnx.NodeProto:
    return _node("GlobalAveragePool", node, [node.input[0]])


def _placeholder(node: onnx.NodeProto, shape: tuple[int, ...], model: onnx.ModelProto) -> str:
    name = f"{node.output[0]}/placeholder"
    model.graph.initializer.append(onnx.TensorProto(name=name, dims=shape, data_type=onnx.TensorProto.FLOAT))
    return name


_SHAPED_AS_FIRST_INPUT = (
    "Gelu",
    "FastGelu",
    "BiasGelu",
    "QuickGelu",
    "BiasAdd",
    "LayerNormalization",
    "SimplifiedLayerNormalization",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
    "MultiHeadAttention",
    "QLinearSigmoid",
    "QLinearLeakyRelu",
    "QLinearSoftmax",
)
_STAND_INS: dict[str, Callable[..., onnx.NodeProto | None]] = {
    **{name: _same_as(0) for name in _SHAPED_AS_FIRST_INPUT},
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), _broadcast(0, 3)),
    "FusedConv": _standard("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"),
    "FusedGemm": _standard("transA", "transB"),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), _standard("axis")),
    **dict.fromkeys(("FusedMatMul", "TransposeMatMul"), _fused_matmul),
    **dict.fromkeys(("DynamicQuantizeMatMul", "MatMulIntegerToFloat"), _matmul),
    "QGemm": _quantized_gemm,
    "MatMulNBits": _block_matmul,
    **dict.fromkeys(("Attention", "QAttention"), _attention),
    "QLinearConcat": _concat,
    "QLinearAveragePool": _average_pool,
    "QLinearGlobalAveragePool": _global_average_pool,
}
