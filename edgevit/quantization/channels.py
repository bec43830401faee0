"""Follows the channels of a tensor through a captured graph, as far as scaling a channel passes through unchanged.

Every element carries the number of its channel. Ops that only move elements move those numbers too, whatever the
shapes; ops with f(s x) = s f(x) for s > 0 keep them. A channel that reaches any other op must not be scaled.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx

from edgevit.model.program.layers import LINEAR, find_layer

_aten = torch.ops.aten
_SAME = (
    _aten.relu.default, _aten.relu_.default, _aten.leaky_relu.default, _aten.leaky_relu_.default,
    _aten.contiguous.default, _aten.clone.default, _aten.alias.default, _aten.detach.default,
)  # fmt: skip
_MOVES = (
    _aten.view.default, _aten.reshape.default, _aten.flatten.using_ints, _aten.unflatten.int,
    _aten.transpose.int, _aten.permute.default, _aten.squeeze.default, _aten.squeeze.dim, _aten.squeeze.dims,
    _aten.unsqueeze.default, _aten.expand.default, _aten.select.int, _aten.slice.Tensor, _aten.unbind.int,
    _aten.split.Tensor, _aten.split_with_sizes.default, _aten.chunk.default, _aten.roll.default,
    operator.getitem,
)  # fmt: skip
_POOLS = (_aten.max_pool2d.default, _aten.avg_pool2d.default, _aten.adaptive_avg_pool2d.default)
_MIXES = {
    _aten.scaled_dot_product_attention.default: 2,
    _aten.matmul.default: 1,
    _aten.bmm.default: 1,
}
"""Where attention reads its values [..., tokens, width], of which every result is a weighted sum over the tokens."""


@dataclass(frozen=True)
class Reach:
    """What reads the channels of one tensor."""

    readers: Mapping[fx.Node, torch.Tensor]
    """Layers that read them, each with the channel that each of its input channels is, int64 [in]."""
    free: torch.Tensor
    """Channels that only those layers read, bool [channels]."""
    obstacles: Counter[str]
    """The other ops that read some, by name."""


def follow(module: fx.GraphModule, source: fx.Node, axis: int, channels: int) -> Reach:
    """Returns what reads the channels that a node makes.

    Args:
        module: ATen graph as ``ExportedProgram.module()`` gives it.
        source: The node; its result is a tensor of its own, no view of another.
        axis: Axis of the channels in its result.
        channels: Number of channels.
    """
    shape = source.meta["val"].shape
    along = torch.arange(channels, dtype=torch.int32)
    along = along.view([channels if place == axis % len(shape) else 1 for place in range(len(shape))])
    readers: dict[fx.Node, torch.Tensor] = {}
    free = torch.ones(channels, dtype=torch.bool)
    obstacles: Counter[str] = Counter()
    waiting: list[tuple[fx.Node, Any]] = [(source, along.expand(shape))]
    while waiting:
        node, labels = waiting.pop()
        for user in node.users:
            passed = _pass(user, node, labels)
            columns = _columns(module, user, node, labels)
            if passed is not None:
                waiting.append((user, passed))
            elif columns is not None:
                readers[user] = columns
            else:
                obstacles[_name(user)] += 1
                for part in [labels] if isinstance(labels, torch.Tensor) else labels:
                    free[part.unique().long()] = False
    return Reach(readers, free, obstacles)


def _pass(user: fx.Node, node: fx.Node, labels: Any) -> Any:
    """Returns the channel numbers of a node's result; None where scaling does not pass through it."""
    target = cast(Any, user.target)
    place = _MIXES.get(target, 0)
    if user.op != "call_function" or not _reads_once(user, node, place):
        return None
    if target in _MOVES or (target is _aten.pad.default and not any(cast(Any, user.args[1]))):
        return target(labels, *user.args[1:], **user.kwargs) if len(user.all_input_nodes) == 1 else None
    if target in _SAME or (target is _aten.dropout.default and not user.args[2]):
        return labels
    if target in _POOLS:
        return _same_along(labels, [-2, -1], user)
    if target is _aten.mean.dim:
        return _same_along(labels, user.args[1], user)
    if target in _MIXES and labels.ndim > 1 and labels.shape[:-2] == user.meta["val"].shape[:-2]:
        return _same_along(labels, [-2], user)
    return None


def _same_along(labels: torch.Tensor, axes: Any, user: fx.Node) -> torch.Tensor | None:
    """Returns the labels of a result that mixes elements along some axes; None if it mixes different channels."""
    lowest, highest = labels.amin(axes, keepdim=True), labels.amax(axes, keepdim=True)
    if not torch.equal(lowest, highest):
        return None
    shape = user.meta["val"].shape
    return lowest.expand(shape) if lowest.ndim == len(shape) else lowest.reshape(shape)


def _columns(module: fx.GraphModule, user: fx.Node, node: fx.Node, labels: Any) -> torch.Tensor | None:
    """Returns the channel that each input channel of a layer is, int64 [in]; None if the node is no such layer."""
    layer = find_layer(module, user)
    if layer is None or not _reads_once(user, node, 0):
        return None
    axis = labels.ndim - 1 if user.target is LINEAR else 1
    others = [place for place in range(labels.ndim) if place != axis]
    if user.target is not LINEAR and labels.ndim != layer.weight.ndim:
        return None
    lowest, highest = labels.amin(others), labels.amax(others)
    return lowest.long() if torch.equal(lowest, highest) else None


def _reads_once(user: fx.Node, node: fx.Node, place: int) -> bool:
    """Returns whether a node reads another as its argument at one position, and nowhere else."""
    read: list[fx.Node] = []
    fx.node.map_arg((user.args, user.kwargs), read.append)
    return len(user.args) > place and user.args[place] is node and read.count(node) == 1


def _name(node: fx.Node) -> str:
    """Returns the name of an op: "hardtanh" for aten.hardtanh_.default."""
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target._schema.name.rpartition("::")[2].rstrip("_")
    return node.op if node.op != "call_function" else getattr(node.target, "__name__", str(node.target))
