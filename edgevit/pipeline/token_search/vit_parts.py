"""Parts of a vision transformer that take tokens instead of images, and share its weights."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor, nn


def head(vit: Any, images: Tensor, first: int) -> Tensor:
    """Returns the tokens that enter a block, float32 [n, tokens, channels]; :func:`tail` makes logits of them.

    Args:
        vit: timm ``VisionTransformer``.
        images: float32 [n, 3, h, w].
        first: Block, counted from 1.
    """
    x: Tensor = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))
    for block in vit.blocks[: first - 1]:
        x = block(x)
    return x


def streams(vit: Any, images: Tensor, blocks: tuple[int, ...]) -> tuple[dict[int, Tensor], Tensor]:
    """Returns the tokens that enter some blocks, float32 [n, tokens, channels], and the logits, float32 [n, classes].

    Args:
        vit: timm ``VisionTransformer``.
        images: float32 [n, 3, h, w].
        blocks: Counted from 1.
    """
    x = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))
    entering = {}
    for number, block in enumerate(vit.blocks, start=1):
        if number in blocks:
            entering[number] = x
        x = block(x)
    return entering, vit.forward_head(vit.norm(x))


def tail(vit: Any, first: int) -> Any:
    """Returns the blocks from one on and the head: tokens that enter that block to logits.

    It is a model of the same type, so that token reduction treats it as it treats the whole.

    Args:
        vit: timm ``VisionTransformer``.
        first: Block, counted from 1.

    Returns:
        Module, float32 [n, tokens, channels] to [n, classes].
    """
    part = copy.copy(vit)
    part._modules = dict(vit._modules)  # the copy shares it, and what follows would change the original
    part.patch_embed = _Entering(int(vit.patch_embed.num_patches))
    part.patch_drop = part.norm_pre = nn.Identity()
    part._pos_embed = _as_is
    part.blocks = vit.blocks[first - 1 :]
    return part


def one_block(vit: Any, block: int) -> Any:
    """Returns one block: tokens that enter it to tokens that leave it.

    Args:
        vit: timm ``VisionTransformer``.
        block: Counted from 1.

    Returns:
        Module, float32 [n, tokens, channels] to the same with as many tokens as stay.
    """
    part = tail(vit, block)
    part.blocks = part.blocks[:1]
    part.norm = part.fc_norm = part.head = nn.Identity()
    part._parameters = {}  # class token and position embedding
    part.global_pool = ""
    part.forward_head = _as_is
    return part


class _Entering(nn.Module):
    """Stands where a vision transformer embeds patches."""

    def __init__(self, num_patches: int) -> None:
        super().__init__()
        self.num_patches = num_patches

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens


def _as_is(tokens: Tensor) -> Tensor:
    return tokens
