"""Adds up what a runtime's profiler measured in several inferences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgevit.results.op_times import OpTime
from edgevit.spec.recipe import OpKind

MOST_WORK: tuple[OpKind, ...] = (
    "conv", "depthwise_conv", "linear", "matmul", "softmax", "normalization", "topk", "activation", "reduction",
    "pooling", "gather", "elementwise", "layout", "quantize", "reshape", "constant", "other",
)  # fmt: skip
"""Families by the work that an op of them usually has: where a runtime fuses several ops, their time counts to the first."""


@dataclass(frozen=True)
class ProfiledOp:
    """One op of one inference."""

    native: str
    kind: OpKind
    us: float


def leading_kind(kinds: Iterable[OpKind]) -> OpKind:
    """Returns the family that the time of fused ops counts to; "other" for none."""
    return min(kinds, key=MOST_WORK.index, default="other")


def add_up(inferences: Sequence[Sequence[ProfiledOp]]) -> tuple[OpTime, ...]:
    """Sums the ops of an inference by native name and family, most time first.

    The time of an op is its shortest over the inferences: other work can only lengthen it, and may do so in most of them.

    Args:
        inferences: At least one, each with the same ops in the same order.

    Raises:
        ValueError: there are none, or they differ in their ops.
    """
    named = [[(op.native, op.kind) for op in ops] for ops in inferences]
    if not named or any(names != named[0] for names in named):
        raise ValueError("the profiled inferences differ in their ops")
    counts: dict[tuple[str, OpKind], int] = {}
    times: dict[tuple[str, OpKind], float] = {}
    for place, name in enumerate(named[0]):
        counts[name] = counts.get(name, 0) + 1
        times[name] = times.get(name, 0.0) + min(ops[place].us for ops in inferences)
    found = [OpTime(native, kind, counts[native, kind], us / 1000) for (native, kind), us in times.items()]
    return tuple(sorted(found, key=lambda op: (-op.ms, op.native)))
