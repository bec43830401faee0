"""Measures in PyTorch what single sites do to a model's answers (see :mod:`edgevit.token_search.damage`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from edgevit.passes.reduce_tokens import ReducedVisionTransformer
from edgevit.token_plan import Site
from edgevit.token_search.damage import DamagePoint

SHARES = {"squeeze": (0.9, 0.75, 0.6, 0.45, 0.3), "tome": (0.9, 0.75, 0.6, 0.5)}
"""Methods that are looked at, and the shares of patch tokens that stay; tome merges at most half of them at once."""


class Tail(nn.Module):
    """The blocks of a vision transformer from one on: tokens in, logits out.

    Has the parts of timm's ``VisionTransformer`` that :class:`ReducedVisionTransformer` calls, so that what that does is
    done here, without running the blocks before again.
    """

    def __init__(self, vit: Any, first: int) -> None:
        """Takes the blocks from number ``first`` on, counted from 1, without copying weights."""
        super().__init__()
        self.patch_embed = self.patch_drop = self.norm_pre = nn.Identity()
        self.blocks = vit.blocks[first - 1 :]
        self.norm = vit.norm
        self.forward_head = vit.forward_head
        self.num_prefix_tokens = vit.num_prefix_tokens
        self.has_class_token = vit.has_class_token

    def _pos_embed(self, tokens: Tensor) -> Tensor:
        return tokens


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
    sums = {(method, block, keep): 0.0 for block in blocks for method, keep in keeps}
    count = 0
    with torch.inference_mode():
        for batch in batches:
            entering, logits = _dense(vit, batch, blocks)
            for method, block, keep in sums:
                reduced = ReducedVisionTransformer(Tail(vit, block), method, (Site(1, keep),), "gather")
                sums[method, block, keep] += float(_divergence(logits, reduced(entering[block])).sum())
            count += len(batch)
            on_batch()
    return tuple(
        DamagePoint(method, block, keep / patches, total / count) for (method, block, keep), total in sums.items()
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
