"""Makes a plain vision transformer drop patch tokens after the attention of chosen blocks."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import nn

from edgevit.errors import UsageError
from edgevit.passes.tokens import class_attention, cut_margin, keep_top
from edgevit.token_plan import TokenPlan
from edgevit.torchvision_schemas import ensure_torchvision_schemas


def reduce_tokens(module: nn.Module, plan: TokenPlan) -> ReducedVisionTransformer:
    """Returns a model that carries out a token plan; ``module`` stays as it is.

    Args:
        module: timm ``VisionTransformer`` (ViT, DeiT, distilled DeiT) with a class token.
        plan: Which share of the patch tokens stays after the attention of which blocks.

    Raises:
        UsageError: the model is not a plain vision transformer, has no class token, or too few blocks.
    """
    check_reducible(module, plan)
    return ReducedVisionTransformer(copy.deepcopy(module), plan)


def check_reducible(module: nn.Module, plan: TokenPlan) -> None:
    """Refuses a model that the plan cannot be carried out on.

    Raises:
        UsageError: says why, and what the model can use instead.
    """
    ensure_torchvision_schemas()
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import Attention, Block, VisionTransformer

    if type(module) not in (VisionTransformer, VisionTransformerDistilled):
        raise UsageError(
            f"token reduction needs a plain vision transformer (ViT, DeiT), not {type(module).__name__}",
            "convolutions and windows need the whole grid of tokens; use --tokens none: quantization applies all the same",
        )
    vit = cast(VisionTransformer, module)
    if not vit.has_class_token:
        raise UsageError("evit scores tokens by the attention of the class token, and this model has none")
    for block in vit.blocks:
        if type(block) is not Block or type(block.attn) is not Attention or block.attn.gate is not None:
            raise UsageError(f"token reduction knows timm's Block with ungated Attention, not {type(block).__name__}")
    if plan.sites[-1] > len(vit.blocks):
        raise UsageError(f"token plan {plan} names block {plan.sites[-1]}, the model has {len(vit.blocks)}")


class ReducedVisionTransformer(nn.Module):
    """A vision transformer whose patch tokens become fewer at constant, input-independent counts."""

    def __init__(self, vit: Any, plan: TokenPlan) -> None:
        super().__init__()
        self.vit: Any = vit
        self.num_prefix_tokens = int(vit.num_prefix_tokens)
        self.keep = {
            site - 1: count for site, count in zip(plan.sites, plan.counts(vit.patch_embed.num_patches), strict=True)
        }

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """float32 [n, 3, h, w] to logits [n, classes]."""
        return self._run(images)[0]

    def cut_margins(self, images: torch.Tensor) -> torch.Tensor:
        """float32 [n, 3, h, w] to the closest decision of each image over all sites, [n, 1]; see ``cut_margin``."""
        return torch.stack(self._run(images)[1], dim=1).amin(dim=1, keepdim=True)

    def _run(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        vit = self.vit
        margins = []
        x = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))
        for index, block in enumerate(vit.blocks):
            if index in self.keep:
                x, margin = self._reducing_block(block, x, self.keep[index])
                margins.append(margin)
            else:
                x = block(x)
        return cast(torch.Tensor, vit.forward_head(vit.norm(x))), margins

    def _reducing_block(self, block: Any, x: torch.Tensor, keep: int) -> tuple[torch.Tensor, torch.Tensor]:
        attended, attention = _attend(block.attn, block.norm1(x))
        x = x + block.ls1(attended)
        scores = class_attention(attention, self.num_prefix_tokens)
        x = keep_top(x, scores, keep, self.num_prefix_tokens)
        return x + block.ls2(block.mlp(block.norm2(x))), cut_margin(scores, keep)


class CutMargins(nn.Module):
    """A reduced vision transformer that answers with its cut margins instead of logits."""

    def __init__(self, reduced: ReducedVisionTransformer) -> None:
        super().__init__()
        self.reduced = reduced

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """float32 [n, 3, h, w] to [n, 1]."""
        return self.reduced.cut_margins(images)


def _attend(attn: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """timm's Attention, written out so that the softmax can be read.

    Args:
        attn: timm ``Attention`` in eval mode, not gated.
        x: float [batch, tokens, channels].

    Returns:
        The layer's output, and the attention, float [batch, heads, tokens, tokens].
    """
    batch, tokens, _ = x.shape
    qkv = attn.qkv(x).reshape(batch, tokens, 3, attn.num_heads, attn.head_dim).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    q, k = attn.q_norm(q), attn.k_norm(k)
    attention = ((q * attn.scale) @ k.transpose(-2, -1)).softmax(dim=-1)
    mixed = (attention @ v).transpose(1, 2).reshape(batch, tokens, attn.attn_dim)
    return attn.proj(attn.norm(mixed)), attention
