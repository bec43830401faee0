"""Separates query, key and value before they become heads: by one split, where timm permutes five axes.

Each of the three is then [batch, tokens, heads x width] at first, which is what ONNX's ``Attention`` reads.
"""

from __future__ import annotations

import operator

import numpy as np
import torch
from torch import fx

from edgevit.model.program.nodes import call, tidy
from edgevit.quantization.rewrites.packed_attention import find_packed

_aten = torch.ops.aten


def split_query_key_value(module: fx.GraphModule, images: np.ndarray) -> int:
    """Replaces the permutation of what one layer makes for attention by a split of its channels, in place.

    Args:
        module: ATen graph of an eval-mode module, as ``ExportedProgram.module()`` gives it.
        images: float32 [n, 3, h, w]; not used.

    Returns:
        How many permutations were replaced.
    """
    packs = find_packed(module)
    for packed in packs:
        channels = packed.heads * packed.width
        with module.graph.inserting_before(packed.permute):
            split = call(module, _aten.split_with_sizes.default, packed.source, [channels] * packed.count, 2)
            for place, nodes in sorted(packed.parts.items()):
                part = call(module, operator.getitem, split, place)
                apart = [packed.batch, packed.tokens, packed.heads, packed.width]
                part = call(module, _aten.transpose.int, call(module, _aten.reshape.default, part, apart), 1, 2)
                for node in nodes:
                    node.replace_all_uses_with(part)
    if packs:
        tidy(module)
    return len(packs)
