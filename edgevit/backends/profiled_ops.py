"""What a runtime's profiler measured in several inferences, as the layers of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edgevit.results.layer_times import LayerTime
from edgevit.spec.recipe import OpKind

MOST_WORK: tuple[OpKind, ...] = (
    "conv", "depthwise_conv", "linear", "matmul", "softmax", "normalization", "topk", "activation", "reduction",
    "pooling", "gather", "elementwise", "layout", "quantize", "reshape", "constant", "other",
)  # fmt: skip
"""Families by the work that an op of them usually has: where a runtime fuses several ops, their time counts to the first."""


def leading_kind(kinds: Iterable[OpKind]) -> OpKind:
    """Returns the family that the time of fused ops counts to; "other" for none."""
    return min(kinds, key=MOST_WORK.index, default="other")


def shortest(inferences: Sequence[Sequence[LayerTime]]) -> tuple[LayerTime, ...]:
    """Returns the layers, each with its shortest time: other work can only lengthen it, and may do so in most inferences.

    Args:
        inferences: At least one, each with the same layers in the same order.

    Raises:
        ValueError: there are none, or they differ in their layers.
    """
    same = [[replace(layer, ms=0.0) for layer in layers] for layers in inferences]
    if not same or any(layers != same[0] for layers in same):
        raise ValueError("the profiled inferences differ in their ops")
    times = zip(*([layer.ms for layer in layers] for layers in inferences), strict=True)
    return tuple(replace(layer, ms=min(ms)) for layer, ms in zip(same[0], times, strict=True))
