"""Runs a graph of batch 1 on a batch, by ``torch.vmap``."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, fx

ATTENTION = torch.ops.aten.scaled_dot_product_attention.default


class MappedInterpreter(fx.Interpreter):
    """Runs a graph node by node, also where torch.vmap maps it over a batch."""

    def run_node(self, n: fx.Node) -> Any:
        """Runs a node; attention by its formula, since the fused op cannot be mapped over a batch."""
        if n.target is not ATTENTION:
            return super().run_node(n)
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        return cast(Tensor, torch.ops.aten._scaled_dot_product_attention_math(*args, **kwargs)[0])
