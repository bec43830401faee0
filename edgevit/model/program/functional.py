"""Replaces ops that write into their input by those that return a new tensor, and leaves all other ops as they are.

torch's own way, :meth:`ExportedProgram.run_decompositions`, also changes others: batch normalization becomes an op that is not
folded into the convolution before it.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

_MAY_RETURN_THEIR_INPUT = frozenset(
    [
        "reshape",
        "flatten",
        "contiguous",
        "to",
        "dropout",
        "feature_dropout",
        "type_as",
        "unflatten",
        "chunk",
        "narrow",
        "ravel",
        "movedim",
        "swapaxes",
    ]
)


def writes(node: fx.Node) -> bool:
    """Returns whether a call writes into one of its inputs."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def without_writes(graph: fx.Graph) -> bool:
    """Replaces all ops that write, in place.

    Returns:
        Whether none is left: one stays where a view of what is written is read later on, or no other op computes the same.
    """
    for node in [node for node in graph.nodes if writes(node)]:
        written: Any = node.args[0]
        op = _functional(node.target)
        if op is None or _is_seen_through_a_view(node, written):
            return False
        with graph.inserting_before(node):
            made = graph.call_function(op, node.args, node.kwargs)
        made.meta = dict(node.meta)
        node.replace_all_uses_with(made)
        behind = _behind(made)
        written.replace_all_uses_with(made, lambda user, behind=behind: user in behind)
        graph.erase_node(node)
    return True


def _functional(target: Any) -> Any:
    name = target._schema.name.partition("::")[2]
    packet = getattr(torch.ops.aten, name.rstrip("_"), None)
    overload = target._overloadname
    if not name.endswith("_") or packet is None or overload not in packet.overloads():
        return None
    return getattr(packet, overload)


def _behind(node: fx.Node) -> set[fx.Node]:
    nodes = list(node.graph.nodes)
    return set(nodes[nodes.index(node) + 1 :])


def _is_seen_through_a_view(node: fx.Node, written: fx.Node) -> bool:
    behind = _behind(node)
    return any(user in behind for view in _views(written, node) - {written} for user in view.users)


def _views(node: fx.Node, writer: fx.Node) -> set[fx.Node]:
    """All nodes that may share the memory of one, and itself, but for the result of what writes into it."""
    waiting, found = [node], set[fx.Node]()
    while waiting:
        at = waiting.pop()
        if at in found or at is writer:
            continue
        found.add(at)
        waiting += [user for user in at.users if _may_share(user) and user.args[0] is at]
        waiting += [value for value in at.all_input_nodes if _may_share(at) and at.args[0] is value]
    return found


def _may_share(node: fx.Node) -> bool:
    if node.target is operator.getitem:
        return True
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    schema = node.target._schema
    if schema.name.partition("::")[2] in _MAY_RETURN_THEIR_INPUT:
        return True
    return any(each.alias_info is not None for each in schema.returns)
