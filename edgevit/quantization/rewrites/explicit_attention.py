"""Writes attention as two products and a softmax, with the scale folded into the weights of the query.

litert-torch decomposes ``scaled_dot_product_attention`` by itself, but multiplies both query and key by the root of
the scale at run time.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from torch import fx

from edgevit.model.program.layers import LINEAR, Layer, argument, find_layer, set_parameters
from edgevit.model.program.nodes import RESHAPES, call, is_call, only_user, shape, tidy
from edgevit.quantization.rewrites.packed_attention import attention_mask, find_packed, is_plain_attention

_aten = torch.ops.aten
_MOVES = (*RESHAPES, _aten.transpose.int, _aten.permute.default, _aten.slice.Tensor)


def explicit_attention(module: fx.GraphModule, images: np.ndarray) -> int:
    """Replaces plain attention by bmm, softmax and bmm, in place.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.
        images: float32 [n, 3, h, w]; not used.

    Returns:
        How many were replaced; causal attention and one with shared heads or a mask for each query stay.
    """
    replaced = 0
    for attention in list(module.graph.nodes):
        if not is_plain_attention(attention):
            continue
        query, key, value = cast(tuple[fx.Node, ...], attention.args[:3])
        given = argument(attention, 6, "scale")
        scale = 1 / math.sqrt(shape(query)[-1]) if given is None else float(given)
        folded = _fold_scale(module, attention, scale)
        with module.graph.inserting_before(attention):
            query, key, value = (_as_batch(module, part) for part in (query, key, value))
            if not folded:
                query = call(module, _aten.mul.Tensor, query, scale)
            scores = call(module, _aten.bmm.default, query, call(module, _aten.transpose.int, key, 1, 2))
            mask = attention_mask(attention)
            if mask is not None:
                flat = call(module, _aten.reshape.default, mask, [1, 1, shape(key)[1]])
                scores = call(module, _aten.add.Tensor, scores, flat)
            weights = call(module, _aten.softmax.int, scores, -1)
            made = call(module, _aten.bmm.default, weights, value)
            made = call(module, _aten.reshape.default, made, list(shape(attention)))
        attention.replace_all_uses_with(made)
        module.graph.erase_node(attention)  # dead code elimination leaves it, for it could drop at random
        replaced += 1
    if replaced:
        tidy(module)
    return replaced


def _as_batch(module: fx.GraphModule, part: fx.Node) -> fx.Node:
    """Reshapes [..., heads, tokens, width] to [batch x heads, tokens, width]."""
    *leading, tokens, width = shape(part)
    return call(module, _aten.reshape.default, part, [math.prod(leading), tokens, width])


def _fold_scale(module: fx.GraphModule, attention: fx.Node, scale: float) -> bool:
    """Multiplies the weights that make an attention's query, if they make nothing else; returns whether they do."""
    found = _query_layer(module, attention)
    if found is None:
        return False
    layer, rows = found
    factors = torch.ones(len(layer.weight), dtype=torch.float64)
    factors[rows] = scale
    bias = None if layer.bias is None else layer.bias * factors
    set_parameters(module, layer.node, 1, weight=layer.weight * factors[:, None], bias=bias)
    return True


def _query_layer(module: fx.GraphModule, attention: fx.Node) -> tuple[Layer, slice] | None:
    """Returns the linear layer that makes the query of an attention, and those of its rows that make nothing else."""
    query = cast(fx.Node, attention.args[0])
    if only_user(query) is not attention:
        return None
    rows = slice(None)
    for packed in find_packed(module):
        for place, nodes in packed.parts.items():
            if nodes == (query,):
                width = packed.heads * packed.width
                query, rows = packed.source, slice(place * width, (place + 1) * width)
    while is_call(query, *_MOVES) and len(cast(fx.Node, query.args[0]).users) == 1:
        query = cast(fx.Node, query.args[0])
    layer = find_layer(module, query)
    return (layer, rows) if layer is not None and query.target is LINEAR and len(query.users) == 1 else None
