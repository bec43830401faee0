"""Constants of a graph that remember how they follow from its parameters, so that a changed graph can still be trained.

A rewrite computes new weights from old ones: slices, sums, folded normalizations. In a graph that keeps derivations these
become nodes instead of values: running the graph computes them anew, and their gradients reach the parameters that the
model itself has.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import fx
from torch.utils._pytree import tree_map

_KEEPS = "keeps_derivations"
_SAME = (torch.ops.aten.detach.default, torch.ops.aten.alias.default)


def keep_derivations(module: fx.GraphModule) -> None:
    """Makes every constant that is added to a graph from now on a node that computes it from parameters."""
    module.meta[_KEEPS] = True


def keeps_derivations(module: fx.GraphModule) -> bool:
    """Returns whether :func:`keep_derivations` was called."""
    return bool(module.meta.get(_KEEPS))


class Derived(torch.Tensor):
    """A value, and the node or the call that makes it."""

    plain: torch.Tensor
    _origin: Any
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, plain: torch.Tensor, origin: Any) -> Derived:
        """Wraps a value.

        Args:
            cls: This class.
            plain: Any shape and dtype.
            origin: The node that makes it, or a call: operator, arguments, keywords.
        """
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, plain.shape, strides=plain.stride(), dtype=plain.dtype, device=plain.device
        )
        made.plain, made._origin = plain, origin
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Computes the value of a call, and remembers it."""
        keywords = kwargs or {}
        value = func(*tree_map(_plain, args), **tree_map(_plain, keywords))
        return cls(value, (func, args, keywords)) if isinstance(value, torch.Tensor) else value

    def node(self, graph: fx.Graph) -> fx.Node:
        """Adds the calls that make the value at the insertion point; returns the last."""
        if isinstance(self._origin, fx.Node):
            return self._origin
        target, args, kwargs = self._origin
        if target in _SAME:  # its gradient is wanted
            return cast(Derived, args[0]).node(graph)

        def enter(part: Any) -> Any:
            return part.node(graph) if isinstance(part, Derived) else part

        node = graph.call_function(target, tree_map(enter, args), tree_map(enter, kwargs))
        node.meta["val"] = self.plain
        self._origin = node
        return node


def _plain(part: Any) -> Any:
    return part.plain if isinstance(part, Derived) else part
