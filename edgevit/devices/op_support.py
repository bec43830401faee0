"""Which ops of an artifact a compute unit cannot run."""

from __future__ import annotations

from collections import Counter

from edgevit.devices.device import Unit
from edgevit.devices.runtimes import Runtime
from edgevit.results.graph import Graph, Op

_FORMAT_OF_SUFFIX = {"xml": "openvino"}
_WORDS = {
    "float": "float",
    "int8_static": "static int8",
    "int8_dynamic": "dynamic int8",
    "int16_static": "static int16",
    "int8_weights": "int8 weights with wider activations",
}


def accepts(graph: Graph, unit: Unit) -> bool:
    """Returns whether the unit's runtime reads the format of the artifact."""
    return runtime_of(graph, unit) is not None


def runtime_of(graph: Graph, unit: Unit) -> Runtime | None:
    """Returns the unit's preferred runtime that reads the format of the artifact; None where none does."""
    return unit.runtime_of(_FORMAT_OF_SUFFIX.get(graph.format, graph.format))


def unsupported_ops(graph: Graph, unit: Unit) -> tuple[str, ...]:
    """Returns the ops that a unit cannot run, most frequent first.

    Ops that convert the number format of an input or output of the graph are left out: the host runs those.

    Returns:
        One entry per native op and reason, with the number of such ops, such as "GELU (12 x)", "CONV_2D in float (3 x)"
        or "TRANSPOSE with 5 axes (12 x)"; empty when the unit runs every op.
    """
    reasons = Counter(reason for op in graph.ops if (reason := _reason(op, graph, unit)))
    return tuple(f"{reason} ({count} x)" for reason, count in reasons.most_common())


def _reason(op: Op, graph: Graph, unit: Unit) -> str | None:
    if op.kind == "quantize" and not {*op.inputs, *op.outputs}.isdisjoint((*graph.inputs, *graph.outputs)):
        return None
    if op.foreign:
        return f"{op.native}, which is none of the runtime's own ops"
    limits = unit.ops
    if limits.supported is not None and op.native not in limits.supported:
        return op.native
    if op.native in limits.unsupported or op.kind in limits.unsupported_kinds:
        return op.native
    if limits.max_rank is not None:
        computed = (graph.tensor[name] for name in (*op.inputs, *op.outputs))
        rank = max((len(tensor.shape) for tensor in computed if not tensor.constant), default=0)
        if rank > limits.max_rank:
            return f"{op.native} with {rank} axes"
    if op.numerics not in unit.numerics and op.kind not in ("quantize", "constant"):
        return f"{op.native} in {_WORDS[op.numerics]}"
    return None
