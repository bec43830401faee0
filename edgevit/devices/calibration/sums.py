"""Sums that a runtime computes as part of the product before them, as ONNX Runtime and OpenVINO do for residual connections."""

from __future__ import annotations

from collections import Counter

from edgevit.results.graph import Graph
from edgevit.spec.recipe import OpKind

_PRODUCTS: tuple[OpKind, ...] = ("conv", "depthwise_conv", "linear", "matmul")
_BETWEEN: tuple[OpKind, ...] = ("elementwise", "activation", "quantize", "reshape")
"""Ops on one tensor that a product may have behind it."""


def fused_sums(graph: Graph) -> frozenset[str]:
    """Returns the names of ops that add a tensor to what a product computed, and nothing else reads.

    Args:
        graph: Ops of an artifact; LiteRT adds in a kernel of its own.
    """
    if graph.format == "tflite":
        return frozenset()
    makers = {name: op for op in graph.ops for name in op.outputs}
    readers = Counter(name for op in graph.ops for name in op.inputs)

    def computed(op_inputs: tuple[str, ...]) -> list[str]:
        return [name for name in op_inputs if not graph.tensor[name].constant]

    def is_product(name: str) -> bool:
        while name in makers and readers[name] == 1:
            maker = makers[name]
            read = set(computed(maker.inputs))
            if maker.kind in _PRODUCTS:
                return True
            if maker.kind not in _BETWEEN or len(read) != 1:
                return False
            (name,) = read
        return False

    adds = [op for op in graph.ops if op.kind == "elementwise" and "add" in op.native.lower()]
    return frozenset(
        op.name for op in adds if len(set(computed(op.inputs))) == 2 and any(map(is_product, computed(op.inputs)))
    )
