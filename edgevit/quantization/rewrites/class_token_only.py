"""Lets the last block of a vision transformer compute only the tokens that the head reads.

Keys and values of the last attention need all tokens; its query, its projection, and all that follows need only the
class token (and the distillation token, where a head reads it). The outputs of the other tokens are never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import fx

from edgevit.model.program.layers import LINEAR, Layer, attach, constant, find_layer
from edgevit.model.program.nodes import ACTIVATIONS, RESHAPES, call, is_call, is_idle_dropout, shape, tidy
from edgevit.quantization.rewrites.packed_attention import ATTENTION, Packed, find_packed, is_plain_attention

_aten = torch.ops.aten
_ELEMENT_BY_ELEMENT = (
    *ACTIVATIONS, _aten.tanh.default, _aten.sigmoid.default, _aten.clone.default, _aten.contiguous.default,
)  # fmt: skip
_BINARY = (_aten.add.Tensor, _aten.sub.Tensor, _aten.mul.Tensor, _aten.div.Tensor)
_NORMS = (_aten.layer_norm.default, _aten.rms_norm.default)


def class_token_only(module: fx.GraphModule, images: np.ndarray) -> int:
    """Narrows everything between the last attention and the head to the tokens that the head reads, in place.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.
        images: float32 [n, 3, h, w]; not used.

    Returns:
        How many token sequences were narrowed.
    """
    narrowed = 0
    for sequence in list(module.graph.nodes):
        kept = _kept(sequence)
        if kept is None:
            continue
        for packed in find_packed(module):
            layer = find_layer(module, packed.source)
            if layer is not None and layer.node.target is LINEAR and _only_query_is_wanted(packed, _trace(sequence)):
                _take_query_out(module, packed, layer)
        wanted = _trace(sequence).inner
        if any(is_call(node, LINEAR, ATTENTION) for node in wanted):
            first, count, tokens = kept
            _narrow(module, wanted, first, count)
            for pick in list(sequence.users):
                pick.args = (sequence, 1, cast(int, pick.args[2]) % tokens - first)
            narrowed += 1
    if narrowed:
        tidy(module)
    return narrowed


def _kept(sequence: fx.Node) -> tuple[int, int, int] | None:
    """Returns the first token that is read, how many from there on, and of how many; None unless single ones are."""
    tokens = shape(sequence)
    if len(tokens) != 3 or not sequence.users:
        return None
    if not all(is_call(pick, _aten.select.int) and pick.args[1] == 1 for pick in sequence.users):
        return None
    indices = [cast(int, pick.args[2]) % tokens[1] for pick in sequence.users]
    first, count = min(indices), max(indices) - min(indices) + 1
    return (first, count, tokens[1]) if count < tokens[1] else None


@dataclass(frozen=True)
class _Trace:
    """What is read of the nodes before a sequence, each with the axis that its tokens lie along."""

    inner: Mapping[fx.Node, int]
    """Nodes of which only some tokens are read, and which compute those from the same tokens of their inputs."""
    edge: Mapping[fx.Node, int]
    """The other nodes of which only some tokens are read."""


def _trace(sequence: fx.Node) -> _Trace:
    """Follows the tokens that are read of a sequence back through the graph."""
    inner, edge = {}, {}
    asked: dict[fx.Node, dict[fx.Node, set[int]]] = {sequence: {pick: {1} for pick in sequence.users}}
    for node in reversed(list(sequence.graph.nodes)):
        axes = set().union(*asked.get(node, {}).values())
        if len(axes) != 1 or set(asked[node]) != set(node.users):
            continue
        axis = axes.pop()
        needs = _needs(node, axis)
        if needs is None:
            edge[node] = axis
            continue
        inner[node] = axis
        for source, place in needs:
            asked.setdefault(source, {}).setdefault(node, set()).add(place)
    return _Trace(inner, edge)


def _needs(node: fx.Node, axis: int) -> list[tuple[fx.Node, int]] | None:
    """Returns the inputs of which only the same tokens are needed, each with its axis of tokens.

    None if the node is not known to process the tokens along the axis one by one.
    """
    if node.op != "call_function" or not shape(node):
        return None
    needs = _needs_of_call(node, axis)
    if needs is None:
        return None
    read: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), read.append)
    once = all(read.count(source) == [need for need, _ in needs].count(source) for source, _ in needs)
    return needs if once else None


def _needs_of_call(node: fx.Node, axis: int) -> list[tuple[fx.Node, int]] | None:
    made, target = shape(node), node.target
    arguments: tuple[Any, ...] = node.args
    source = arguments[0]
    if target in _BINARY:
        return _needs_of_pair(node, axis)
    if not isinstance(source, fx.Node):
        return None
    if target in _ELEMENT_BY_ELEMENT or is_idle_dropout(node):
        return [(source, axis)]
    if target in _NORMS:
        return [(source, axis)] if axis < len(made) - len(arguments[1]) else None
    if target is LINEAR:
        return [(source, axis)] if axis < len(made) - 1 else None
    if target is _aten.transpose.int:
        first, second = (place % len(made) for place in arguments[1:3])
        return [(source, {first: second, second: first}.get(axis, axis))]
    if target is _aten.permute.default:
        return [(source, arguments[1][axis] % len(made))]
    if target in RESHAPES:
        return [(source, axis)] if shape(source)[: axis + 1] == made[: axis + 1] else None
    if target is ATTENTION:
        return [(source, axis)] if axis == len(made) - 2 and is_plain_attention(node) else None
    return None


def _needs_of_pair(node: fx.Node, axis: int) -> list[tuple[fx.Node, int]] | None:
    needs = []
    for source in node.args[:2]:
        if not isinstance(source, fx.Node):
            continue
        lengths = shape(source)
        place = axis - len(shape(node)) + len(lengths)
        if place >= 0 and lengths[place] != 1:
            needs.append((source, place))
    return needs


def _only_query_is_wanted(packed: Packed, trace: _Trace) -> bool:
    return packed.count == 3 and 0 in packed.parts and all(trace.edge.get(node) == 2 for node in packed.parts[0])


def _take_query_out(module: fx.GraphModule, packed: Packed, layer: Layer) -> None:
    """Adds a linear layer for the query alone, so that it can be narrowed while keys and values stay."""
    source, rows = layer.node.args[0], packed.heads * packed.width
    with module.graph.inserting_before(packed.permute):

        def part(rows: slice) -> fx.Node:
            bias = () if layer.bias is None else (attach(module, layer.bias[rows]),)
            return call(module, LINEAR, source, attach(module, layer.weight[rows]), *bias)

        apart = [packed.batch, packed.tokens, packed.heads, packed.width]
        query = call(module, _aten.reshape.default, part(slice(rows)), apart)
        query = call(module, _aten.transpose.int, query, 1, 2)
        apart.insert(2, packed.count - 1)
        rest = call(module, _aten.reshape.default, part(slice(rows, None)), apart)
        rest = call(module, _aten.permute.default, rest, [2, 0, 3, 1, 4])
        for place, nodes in packed.parts.items():
            new = call(module, _aten.select.int, rest, 0, place - 1) if place else query
            for node in nodes:
                node.replace_all_uses_with(new)
    module.graph.eliminate_dead_code()


def _narrow(module: fx.GraphModule, wanted: Mapping[fx.Node, int], first: int, count: int) -> None:
    """Makes each wanted node read only ``count`` tokens from ``first`` on; inputs from other nodes are sliced."""
    narrow: dict[tuple[fx.Node, int], fx.Node] = {}

    def enter(source: fx.Node, axis: int) -> fx.Node:
        if (source, axis) not in narrow:
            value = constant(module, source)
            narrow[source, axis] = (
                call(module, _aten.slice.Tensor, source, axis, first, first + count)
                if value is None
                else attach(module, value.narrow(axis, first, count))
            )
        return narrow[source, axis]

    needs = {node: _needs(node, axis) or [] for node, axis in wanted.items()}
    for node in [node for node in module.graph.nodes if node in wanted]:
        for source, axis in needs[node]:
            if source not in wanted:
                with module.graph.inserting_before(node):
                    node.replace_input_with(source, enter(source, axis))
        if node.target in RESHAPES:
            lengths = list(shape(node))
            lengths[wanted[node]] = count
            node.args = (node.args[0], lengths)
    for node, axis in wanted.items():
        node.meta["val"] = node.meta["val"].narrow(axis, 0, count)
