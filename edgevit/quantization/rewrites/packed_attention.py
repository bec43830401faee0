"""Attention as timm writes it: one linear layer makes query, key and value, an op of its own attends."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx

from edgevit.model.program.layers import argument
from edgevit.model.program.nodes import RESHAPES, is_call, only_user, shape

_aten = torch.ops.aten
ATTENTION = _aten.scaled_dot_product_attention.default


def is_plain_attention(node: Any) -> bool:
    """Returns whether a node is attention over three different tensors, not causal, without dropout or shared heads.

    It may have a mask that is the same for all queries and heads, as proportional attention has.
    """
    if not is_call(node, ATTENTION) or len(set(node.args[:3])) != 3:
        return False
    mask = attention_mask(node)
    if (mask is not None and not _is_added_to_keys(mask, shape(node.args[1])[-2])) or argument(node, 4, "dropout_p"):
        return False
    if argument(node, 5, "is_causal") or argument(node, 7, "enable_gqa"):
        return False
    query, key, value = (shape(part) for part in node.args[:3])
    return len(query) > 2 and query[:-2] == key[:-2] == value[:-2] and query[-1] == key[-1] and key[-2] == value[-2]


def _is_added_to_keys(mask: fx.Node, keys: int) -> bool:
    """Returns whether a mask is one float for each key, not a bool."""
    return bool(mask.meta["val"].is_floating_point()) and math.prod(shape(mask)) == keys == shape(mask)[-1]


def attention_mask(node: fx.Node) -> fx.Node | None:
    """Returns what an attention adds to the products of query and key; None if nothing."""
    return cast("fx.Node | None", argument(node, 3, "attn_mask"))


@dataclass(frozen=True)
class Packed:
    """Tensors [batch, heads, tokens, width] that are made as one, [batch, tokens, parts x heads x width]."""

    source: fx.Node
    """Makes all of them, and is read by nothing else."""
    permute: fx.Node
    """Comes after the source and before every part."""
    parts: Mapping[int, tuple[fx.Node, ...]]
    """The nodes that are one part, by its place: 0 is the query where there are three."""
    count: int
    """How many parts there are, read or not."""
    batch: int
    tokens: int
    heads: int
    width: int


def find_packed(module: fx.GraphModule) -> list[Packed]:
    """Returns all places where a tensor is cut into [batch, tokens, parts, heads, width] and permuted part by part."""
    return [packed for packed in map(_packed, module.graph.nodes) if packed]


def _packed(permute: fx.Node) -> Packed | None:
    if not is_call(permute, _aten.permute.default) or list(cast(list[int], permute.args[1])) != [2, 0, 3, 1, 4]:
        return None
    cut = permute.args[0]
    if not is_call(cut, *RESHAPES) or len(cast(fx.Node, cut).users) != 1:
        return None
    cut = cast(fx.Node, cut)
    source = cast(fx.Node, cut.args[0])
    if len(shape(cut)) != 5 or len(shape(source)) != 3 or shape(source)[:2] != shape(cut)[:2] or len(source.users) != 1:
        return None
    batch, tokens, count, heads, width = shape(cut)
    parts = _parts(permute)
    return Packed(source, permute, parts, count, batch, tokens, heads, width) if parts else None


def _parts(permute: fx.Node) -> dict[int, tuple[fx.Node, ...]]:
    """Returns the nodes that are one part each, by its position; {} if anything else reads the permuted tensor."""
    unbind = only_user(permute)
    takers = list(permute.users)
    if unbind is not None and is_call(unbind, _aten.unbind.int) and not argument(unbind, 1, "dim"):
        takers = list(unbind.users)
        places = [taker.args[1] if is_call(taker, operator.getitem) else None for taker in takers]
    else:
        places = [
            taker.args[2] if is_call(taker, _aten.select.int) and taker.args[1] == 0 else None for taker in takers
        ]
    if not all(isinstance(place, int) for place in places):
        return {}
    found: dict[int, tuple[fx.Node, ...]] = {}
    for place, taker in zip(cast(list[int], places), takers, strict=True):
        place %= shape(permute)[0]
        found[place] = (*found.get(place, ()), taker)
    return found
