"""Tells transformers from convolutional networks by what a captured graph computes."""

from __future__ import annotations

import functools
import itertools
import operator

import torch
from torch import fx
from torch.export import ExportedProgram

_FUSED_ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
_PRODUCTS = (
    torch.ops.aten.matmul.default,
    torch.ops.aten.bmm.default,
    torch.ops.aten.baddbmm.default,
    torch.ops.aten.einsum.default,
)


def is_transformer(program: ExportedProgram) -> bool:
    """Returns whether the network has self-attention (softmax or linear), fused or as two chained matrix products.

    Both are products of activations. Chained means that one factor of the second product comes from the first and the
    other does not, as in (q @ k) @ v and q @ (k @ v). Gates that only scale activations are not attention:
    squeeze-and-excite, selective kernels, but also the separable attention of MobileViTv2, whose layers are convolutions.
    """
    image = set(program.graph_signature.user_inputs)
    parts = [part.graph for part in program.graph_module.modules() if isinstance(part, fx.GraphModule)]
    return any(_has_attention(graph, image if graph is program.graph else None) for graph in parts)


def _has_attention(graph: fx.Graph, image: set[str] | None) -> bool:
    """See :func:`is_transformer`; in an inner graph, such as an autocast block's, every input counts as the image's."""
    products: dict[fx.Node, int] = {}
    """For every node that depends on the image: the products it comes from, as a bit set."""
    for node in graph.nodes:
        if node.target is _FUSED_ATTENTION:
            return True
        factors = [products[source] for source in node.all_input_nodes if source in products]
        if not factors and (node.op != "placeholder" if image is None else node.name not in image):
            continue
        products[node] = functools.reduce(operator.or_, factors, 0)
        if node.target in _PRODUCTS and len(factors) >= 2:
            if any(a & ~b for a, b in itertools.permutations(factors, 2)):
                return True
            products[node] |= 1 << len(products)
    return False
