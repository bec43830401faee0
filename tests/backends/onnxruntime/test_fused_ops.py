"""Stand-ins for ONNX Runtime's own ops make tensors of the same shapes."""

from __future__ import annotations

from typing import Any

import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, shape_inference  # noqa: E402

from edgevit.backends.onnxruntime.fused_ops import attention_widths, attribute, stand_in  # noqa: E402

CONSTANTS = {"weights": (8, 24), "bias": (24,)}


def node(op_type: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op_type, inputs.split(), outputs.split(), domain="com.microsoft", **attributes)


def shapes(given: onnx.NodeProto, **inputs: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Shapes of the outputs that onnx infers from the stand-in."""
    graph = helper.make_graph(
        [],
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in given.output if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made = stand_in(given, CONSTANTS, model)
    assert all(each.domain == "" for each in made)
    model.graph.node.extend(made)
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output
    return {value.name: tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in inferred}


@pytest.mark.parametrize(
    ("given", "inputs", "made"),
    [
        (node("QuickGelu", "x"), {"x": (1, 5, 8)}, (1, 5, 8)),
        (node("SkipLayerNormalization", "x s g"), {"x": (1, 5, 8)}, (1, 5, 8)),
        (node("MultiHeadAttention", "x k v", num_heads=2), {"x": (1, 5, 8)}, (1, 5, 8)),
        (node("FusedMatMul", "x w", transA=1, transB=1), {"x": (2, 3, 4), "w": (2, 5, 3)}, (2, 4, 5)),
        (node("MatMulNBits", "x b s", K=8, N=6, bits=4), {"x": (1, 5, 8)}, (1, 5, 6)),
        (node("Attention", "x weights bias", num_heads=2), {"x": (1, 5, 8)}, (1, 5, 8)),
        (
            node("FusedConv", "x w", kernel_shape=[3, 3], strides=[2, 2], activation="Relu"),
            {"x": (1, 3, 9, 9), "w": (4, 3, 3, 3)},
            (1, 4, 4, 4),
        ),
        (
            node("QLinearConcat", "ys yz a as az b bs bz", axis=1),
            {"a": (1, 2, 4), "b": (1, 3, 4)},
            (1, 5, 4),
        ),
        (
            node("QGemm", "x xs xz w ws wz", transB=1),
            {"x": (2, 8), "w": (6, 8)},
            (2, 6),
        ),
        (node("QLinearGlobalAveragePool", "x xs xz ys yz"), {"x": (1, 3, 4, 4)}, (1, 3, 1, 1)),
        (node("QLinearAdd", "x xs xz w ws wz ys yz"), {"x": (1, 5, 8), "w": (8,)}, (1, 5, 8)),
    ],
    ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else "",
)
def test_the_shape_is_that_of_the_op(
    given: onnx.NodeProto, inputs: dict[str, tuple[int, ...]], made: tuple[int, ...]
) -> None:
    assert shapes(given, **inputs) == {"y": made}


def test_the_sum_before_a_normalization_is_an_output_too() -> None:
    given = node("SkipLayerNormalization", "x s g", "y")
    given.output.extend(["", "", "sum"])
    assert shapes(given, x=(1, 5, 8)) == {"y": (1, 5, 8), "sum": (1, 5, 8)}


@pytest.mark.parametrize(
    "given", [node("Unheard", "x"), node("FusedMatMul", "x w", transBatchA=1), node("Attention", "x w b", num_heads=2)]
)
def test_an_op_without_a_stand_in_stays(given: onnx.NodeProto) -> None:
    model = onnx.ModelProto()
    assert stand_in(given, CONSTANTS, model) == [given]
    assert model == onnx.ModelProto()


def test_widths_of_attention_are_thirds_or_as_given() -> None:
    assert attention_widths(node("Attention", "x w b"), (8, 24)) == (8, 8, 8)
    assert attention_widths(node("Attention", "x w b", qkv_hidden_sizes=[4, 4, 16]), (8, 24)) == (4, 4, 16)


def test_an_attribute_that_is_not_given_has_its_default() -> None:
    given = node("Attention", "x w b", num_heads=2)
    assert attribute(given, "num_heads", 1) == 2
    assert attribute(given, "scale", 0.5) == 0.5
