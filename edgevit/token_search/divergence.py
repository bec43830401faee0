"""Measures in PyTorch what single sites do to a model's answers (see :mod:`edgevit.token_search.damage`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from edgevit.passes.reduce_tokens import ReducedVisionTransformer
from edgevit.token_plan import Site
from edgevit.token_search.batches import over_batches
from edgevit.token_search.damage import DamagePoint
from edgevit.token_search.tail import tail

SHARES = {"squeeze": (0.9, 0.75, 0.6, 0.45, 0.3), "tome": (0.9, 0.75, 0.6, 0.5)}
"""Methods that are looked at, and the shares of patch tokens that stay; tome merges at most half of them at once."""


def site_divergences(
    module: nn.Module, batches: Iterable[Tensor], blocks: tuple[int, ...], on_batch: Callable[[], None] = lambda: None
) -> tuple[DamagePoint, ...]:
    """Measures what each site alone does, for every method and share of ``SHARES``.

    Args:
        module: A model that :func:`edgevit.passes.reduce_tokens.check_reducible` accepts, in eval mode.
        batches: Images, float32 [n, 3, h, w].
        blocks: Where to reduce, counted from 1.
        on_batch: Called after each batch.

    Returns:
        Mean over the images of KL(dense || reduced) of the softmax of the logits, in nats. Shares that keep all patch
        tokens of a small image are left out.
    """
    vit: Any = module
    patches = vit.patch_embed.num_patches
    keeps = [
        (method, keep)
        for method, shares in SHARES.items()
        for keep in sorted({-int(-patches * share // 1) for share in shares}, reverse=True)
        if (patches + 1) // 2 <= keep < patches or (method != "tome" and keep < patches)
    ]
    sites = [(method, block, keep) for block in blocks for method, keep in keeps]
    if not sites:
        return ()

    def diverge(batch: Tensor) -> Tensor:
        """Nats, float64 [sites, images]."""
        entering, logits = _dense(vit, batch, blocks)
        found = []
        for method, block, keep in sites:
            reduced = ReducedVisionTransformer(tail(vit, block), method, (Site(1, keep),), "gather")
            found.append(_divergence(logits, reduced(entering[block])))
        return torch.stack(found)

    parts = []
    for part in over_batches(diverge, batches):
        parts.append(part)
        on_batch()
    nats = torch.cat(parts, dim=1).mean(dim=1).tolist()
    return tuple(
        DamagePoint(method, block, keep / patches, nat) for (method, block, keep), nat in zip(sites, nats, strict=True)
    )


def _dense(vit: Any, images: Tensor, blocks: tuple[int, ...]) -> tuple[dict[int, Tensor], Tensor]:
    """Tokens that enter the blocks asked for, float [n, tokens, channels], and the logits."""
    x = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))
    entering = {}
    for number, block in enumerate(vit.blocks, start=1):
        if number in blocks:
            entering[number] = x
        x = block(x)
    return entering, cast(Tensor, vit.forward_head(vit.norm(x)))


def _divergence(dense: Tensor, reduced: Tensor) -> Tensor:
    """KL(dense || reduced) of logits [n, classes] in nats, float64 [n]."""
    expected, actual = dense.double().log_softmax(dim=1), reduced.double().log_softmax(dim=1)
    return (expected.exp() * (expected - actual)).sum(dim=1)
