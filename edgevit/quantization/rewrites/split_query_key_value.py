"""Separates query, key and value before they become heads, where timm permutes five axes of what one layer makes.

Each of the three is then [batch, tokens, heads x width] at first, which is what ONNX's ``Attention`` reads, and a linear
layer of its own makes it: quantizers round what all three read once, and nothing has to be cut.
"""

from __future__ import annotations

import operator

import numpy as np
import torch
from torch import fx

from edgevit.model.program.layers import LINEAR, attach, find_layer
from edgevit.model.program.nodes import call, tidy
from edgevit.quantization.rewrites.packed_attention import Packed, find_packed

_aten = torch.ops.aten


def split_query_key_value(module: fx.GraphModule, images: np.ndarray) -> int:
    """Replaces the permutation of what one layer makes for attention by a layer for each part, in place.

    What is not made by a linear layer alone is split by its channels.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.
        images: float32 [n, 3, h, w]; not used.

    Returns:
        How many permutations were replaced.
    """
    packs = find_packed(module)
    for packed in packs:
        with module.graph.inserting_before(packed.permute):
            for place, part in sorted(_parts(module, packed).items()):
                apart = [packed.batch, packed.tokens, packed.heads, packed.width]
                heads = call(module, _aten.transpose.int, call(module, _aten.reshape.default, part, apart), 1, 2)
                for node in packed.parts[place]:
                    node.replace_all_uses_with(heads)
    if packs:
        tidy(module)
    return len(packs)


def _parts(module: fx.GraphModule, packed: Packed) -> dict[int, fx.Node]:
    """Makes the parts that are read, each [batch, tokens, heads x width], by place."""
    channels = packed.heads * packed.width
    layer = find_layer(module, packed.source)
    if layer is None or packed.source.target is not LINEAR:
        split = call(module, _aten.split_with_sizes.default, packed.source, [channels] * packed.count, 2)
        return {place: call(module, operator.getitem, split, place) for place in packed.parts}
    parts = {}
    for place in packed.parts:
        rows = slice(place * channels, (place + 1) * channels)
        bias = () if layer.bias is None else (attach(module, layer.bias[rows]),)
        parts[place] = call(module, LINEAR, packed.source.args[0], attach(module, layer.weight[rows]), *bias)
    return parts
