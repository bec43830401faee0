"""Recognizing, adding and removing nodes of a captured graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from edgevit.model.program.layers import argument

RESHAPES = (torch.ops.aten.reshape.default, torch.ops.aten.view.default)
ACTIVATIONS = (torch.ops.aten.gelu.default, torch.ops.aten.relu.default, torch.ops.aten.silu.default)
_DROPOUT = torch.ops.aten.dropout.default


def is_call(node: Any, *targets: Any) -> bool:
    """Returns whether an argument is a node that calls one of these ops."""
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target in targets


def is_idle_dropout(node: Any) -> bool:
    """Returns whether an argument is a dropout node that changes nothing."""
    if not is_call(node, _DROPOUT):
        return False
    return argument(node, 1, "p") == 0 or argument(node, 2, "train") is False


def shape(node: fx.Node) -> tuple[int, ...]:
    """Returns the shape of a node's result; () for a result that is no tensor or has a dynamic shape."""
    lengths = tuple(getattr(node.meta.get("val"), "shape", ()))
    return lengths if all(isinstance(length, int) for length in lengths) else ()


def only_user(node: fx.Node) -> fx.Node | None:
    """Returns the only node that reads this one; None if there are several, or none."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def call(module: fx.GraphModule, target: Any, *arguments: Any, **keywords: Any) -> fx.Node:
    """Adds a call at the insertion point, with the shape of its result in the metadata; returns its node."""
    node = module.graph.call_function(target, arguments, keywords)
    made, named = fx.node.map_arg((arguments, keywords), lambda given: _without_values(given.meta["val"]))
    node.meta["val"] = target(*made, **named)
    return node


def _without_values(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.empty(value.shape, dtype=value.dtype, device="meta")
    return [_without_values(part) for part in value]


def tidy(module: fx.GraphModule) -> None:
    """Removes nodes that nothing reads any more, and checks that the graph is valid."""
    module.graph.eliminate_dead_code()
    module.graph.lint()
    module.recompile()
