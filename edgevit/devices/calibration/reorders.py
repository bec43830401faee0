"""Tensors that are copied into the layout that convolutions compute in, blocks of channels, or out of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edgevit.results.graph import Graph, Op
from edgevit.spec.schemes import Numerics

_STEM_CHANNELS = 4
"""Maps of this many channels or fewer are read in any layout."""
_IN_BLOCKS = frozenset(["concat", "maxpool", "averagepool", "globalaveragepool", "avgpool"])
_ACTIVATIONS_IN_BLOCKS = frozenset(["relu", "clip", "sigmoid", "tanh", "leakyrelu"])
"""Of ONNX Runtime; OpenVINO has all of them."""
_REDUCTIONS = ("reducemean", "globalaveragepool")


def reorders(graph: Graph) -> Iterator[tuple[Numerics, int]]:
    """Yields each copy: in what the op that asks for it computes, and the number of values.

    Args:
        graph: Ops of an artifact; TFLite has channels last everywhere, so that nothing is copied.
    """
    if graph.format == "tflite":
        return
    blocked: set[str] = set()
    copied: set[str] = set()
    for op in graph.ops:
        data = list(dict.fromkeys(name for name in op.inputs if not graph.tensor[name].constant))
        asked = _asked(graph, op, data, blocked)
        for name in asked:
            if name not in copied:
                copied.add(name)
                yield op.numerics, math.prod(graph.tensor[name].shape)
        if op.kind in ("conv", "depthwise_conv") or (blocked.intersection(data) and not asked and _keeps(graph, op)):
            blocked.update(op.outputs)


def _asked(graph: Graph, op: Op, data: list[str], blocked: set[str]) -> list[str]:
    """Returns what an op reads in another layout than it is in."""
    maps = [name for name in data if not _is_vector(graph, name)]
    inside = [name for name in maps if name in blocked]
    if op.kind in ("conv", "depthwise_conv"):
        return [name for name in maps[:1] if name not in blocked and graph.tensor[name].shape[1] > _STEM_CHANNELS]
    if op.kind == "quantize" or _native(op) in _REDUCTIONS or (_keeps(graph, op) and inside == maps):
        return []
    return inside


def _keeps(graph: Graph, op: Op) -> bool:
    """Whether an op computes in blocks what it reads in blocks."""
    if _native(op) in _REDUCTIONS:
        return False
    if graph.format == "onnx" and op.kind == "activation":
        return _native(op) in _ACTIVATIONS_IN_BLOCKS
    return op.kind in ("quantize", "elementwise", "activation", "pooling") or _native(op) in _IN_BLOCKS


def _is_vector(graph: Graph, name: str) -> bool:
    """Whether a tensor has one value for each channel, which lie the same way in both layouts."""
    return max(graph.tensor[name].shape[2:], default=1) == 1


def _native(op: Op) -> str:
    return op.native.lower().replace("_", "")
