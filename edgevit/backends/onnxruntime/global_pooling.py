"""Restores ONNX's GlobalAveragePool: torch's exporter writes ReduceMean, for which ONNX Runtime has no int8 kernel."""

from __future__ import annotations

import onnx
from onnx import helper, numpy_helper

from edgevit.backends.onnxruntime.fused_ops import attribute


def pool_globally(model: onnx.ModelProto) -> int:
    """Replaces ReduceMean over height and width by GlobalAveragePool, in place; the results are the same.

    Args:
        model: With the shapes of its tensors in ``value_info``, as exporters write them.

    Returns:
        How many were replaced.
    """
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in model.graph.value_info}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    replaced = 0
    for node in model.graph.node:
        if node.op_type == "ReduceMean" and ranks.get(node.input[0]) == 4 and _axes(node, constants) == {2, 3}:
            nodes += _pooling(node)
            replaced += 1
        else:
            nodes.append(node)
    kept = [_copy(node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return replaced


def _axes(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> set[int]:
    """Returns the axes 0..3 of a mean; they are an input since opset 18, an attribute before."""
    axes = attribute(node, "axes", ())
    if len(node.input) > 1 and node.input[1] in constants:
        axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
    return {int(axis) % 4 for axis in axes}


def _pooling(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    source, target = node.input[0], node.output[0]
    if attribute(node, "keepdims", 1):
        return [helper.make_node("GlobalAveragePool", [source], [target], name=node.name)]
    return [
        helper.make_node("GlobalAveragePool", [source], [f"{target}/pooled"], name=node.name),
        helper.make_node("Flatten", [f"{target}/pooled"], [target], name=f"{node.name}/flatten", axis=1),
    ]


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    """Returns a copy, which remains valid when the list of nodes is cleared."""
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    return copied
