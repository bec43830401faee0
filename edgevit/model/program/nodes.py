"""Finding and making nodes of a captured graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from edgevit.model.program.layers import argument

RESHAPES = (torch.ops.aten.reshape.default, torch.ops.aten.view.default)
ACTIVATIONS = (torch.ops.aten.gelu.default, torch.ops.aten.relu.default, torch.ops.aten.silu.default)
_DROPOUT = torch.ops.aten.dropout.default


def is_call(node: Any, *targets: Any) -> bool:
    """Whether something is a node that calls one of these ops."""
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target in targets


def is_idle_dropout(node: Any) -> bool:
    """Whether something is a dropout that lets everything through."""
    if not is_call(node, _DROPOUT):
        return False
    return argument(node, 1, "p") == 0 or argument(node, 2, "train") is False


def shape(node: fx.Node) -> tuple[int, ...]:
    """The shape of what a node makes; () where that is no tensor, or a length is open."""
    lengths = tuple(getattr(node.meta.get("val"), "shape", ()))
    return lengths if all(isinstance(length, int) for length in lengths) else ()


def only_user(node: fx.Node) -> fx.Node | None:
    """The one node that reads this one; None if there are more, or none."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def call(module: fx.GraphModule, target: Any, *arguments: Any, **keywords: Any) -> fx.Node:
    """Adds a call at the insertion point, with the shape of what it makes."""
    node = module.graph.call_function(target, arguments, keywords)
    made, named = fx.node.map_arg((arguments, keywords), lambda given: _without_values(given.meta["val"]))
    node.meta["val"] = target(*made, **named)
    return node


def _without_values(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.empty(value.shape, dtype=value.dtype, device="meta")
    return [_without_values(part) for part in value]


def tidy(module: fx.GraphModule) -> None:
    """Removes what nothing reads any more, and checks that every node comes after what it reads."""
    module.graph.eliminate_dead_code()
    module.graph.lint()
    module.recompile()
