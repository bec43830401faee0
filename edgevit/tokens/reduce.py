"""Token reduction in a plain vision transformer: fewer patch tokens after the attention of chosen blocks."""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevit.errors import UsageError
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.spec.token_plan import Form, Site, TokenPlan
from edgevit.tokens import maths
from edgevit.tokens.maths import Patches
from edgevit.tokens.reduction import ReducedModel, SiteInputs, TokenReduction, log_sizes_of


def reduce_tokens(module: nn.Module, plan: TokenPlan, form: Form = "gather") -> ReducedVisionTransformer:
    """Returns a model that carries out a token plan; ``module`` stays as it is.

    Args:
        module: timm ``VisionTransformer`` (ViT, DeiT, distilled DeiT), with a class token or average pooling.
        plan: How many patch tokens are kept after the attention of which blocks.
        form: How the graph selects tokens, see :mod:`edgevit.tokens.maths`.

    Raises:
        UsageError: the model is not a plain vision transformer, or cannot carry out the plan.
    """
    sites = plan_sites(module, plan)
    reduced = ReducedVisionTransformer(copy.deepcopy(module), plan.method, sites, form)
    return reduced.train(module.training)


def plan_sites(module: nn.Module, plan: TokenPlan) -> tuple[Site, ...]:
    """Resolves a plan for a model, without copying or running it.

    Args:
        module: As for :func:`reduce_tokens`.
        plan: To resolve.

    Returns:
        At least one block with the number of patch tokens kept after its attention.

    Raises:
        UsageError: says why, and what the model can use instead.
    """
    check_reducible(module)
    vit: Any = module
    sites = plan.sites(vit.patch_embed.num_patches, len(vit.blocks))
    if not sites:
        raise UsageError(f"token plan {plan} keeps all {vit.patch_embed.num_patches} patch tokens", "keep fewer")
    return sites


def is_plain(module: nn.Module) -> bool:
    """Returns whether a model is one of timm's that :func:`reduce_tokens` knows."""
    try:
        check_reducible(module)
    except UsageError:
        return False
    return True


def check_reducible(module: nn.Module) -> None:
    """Refuses a model that token reduction does not support.

    Raises:
        UsageError: says why, and what the model can use instead.
    """
    ensure_torchvision_schemas()
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import Attention, Block, VisionTransformer

    if type(module) not in (VisionTransformer, VisionTransformerDistilled):
        raise UsageError(
            f"token reduction needs a plain vision transformer (ViT, DeiT), not {type(module).__name__}",
            "convolutions and windows need the whole grid of tokens; what works here is a smaller image,"
            " --tokens resolution:N, and quantization",
        )
    vit = cast(VisionTransformer, module)
    if vit.attn_pool is not None or vit.global_pool not in ("token", "avg"):
        raise UsageError(
            f"token reduction needs a class token or average pooling, and this model pools by {vit.global_pool!r}",
            "what works here is a smaller image, --tokens resolution:N, and quantization",
        )
    for block in vit.blocks:
        if type(block) is not Block or type(block.attn) is not Attention or block.attn.gate is not None:
            raise UsageError(
                f"token reduction knows timm's Block with ungated Attention, not {type(block).__name__}",
                "what works here is a smaller image, --tokens resolution:N, and quantization",
            )


class ReducedVisionTransformer(ReducedModel):
    """A vision transformer with fewer patch tokens after each site, in numbers that do not depend on the image."""

    def __init__(self, vit: Any, method: str, sites: tuple[Site, ...], form: Form) -> None:
        super().__init__()
        self.vit: Any = vit
        self.num_prefix_tokens = int(vit.num_prefix_tokens)
        self.sites = sites
        self.patches = int(vit.patch_embed.num_patches)
        self.reductions = nn.ModuleDict({str(site.block): TokenReduction(method, site.tokens, form) for site in sites})

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits float32 [n, classes] of images float32 [n, 3, h, w]."""
        return self._run(images)[0]

    @property
    def original(self) -> nn.Module:
        """The vision transformer."""
        return cast(nn.Module, self.vit)

    def decisions(self, images: Tensor) -> list[tuple[TokenReduction, SiteInputs]]:
        """Returns the reduction of each site and what it decides by, for images float32 [n, 3, h, w]."""
        reductions = [cast(TokenReduction, reduction) for reduction in self.reductions.values()]
        return list(zip(reductions, self._run(images)[1], strict=True))

    def _run(self, images: Tensor) -> tuple[Tensor, list[SiteInputs]]:
        vit, first = self.vit, self.num_prefix_tokens
        x = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))
        sizes = x[:, first:, :1] * 0 + 1  # computed, since XNNPACK does not concatenate constants
        log_sizes: Tensor | None = None
        inputs = []
        for number, block in enumerate(vit.blocks, start=1):
            query, keys, values = query_key_value(block.attn, block.norm1(x))
            x = x + block.ls1(_attend(block.attn, query, keys, values, log_sizes))
            if str(number) in self.reductions:
                reduction = cast(TokenReduction, self.reductions[str(number)])
                attention = maths.attention_received(self._reader(query), keys, block.attn.scale, log_sizes)
                at = SiteInputs(sizes, attention[:, first:], keys[:, :, first:].mean(dim=1))
                patches, sizes = reduction(Patches(x[:, first:], sizes), at.attention, at.metric)
                x = torch.cat([x[:, :first], patches], dim=1)
                log_sizes = log_sizes_of(sizes, first) if reduction.merges else None
                inputs.append(at)
            x = x + block.ls2(block.mlp(block.norm2(x)))
        x = vit.norm(x)
        if log_sizes is not None and vit.global_pool == "avg":
            x = x * self._shares(sizes)
        return cast(Tensor, vit.forward_head(x)), inputs

    def _shares(self, sizes: Tensor) -> Tensor:
        """Weights with which the head's mean over tokens is one over image patches, float [batch, tokens, 1]."""
        first = self.num_prefix_tokens
        others = first if self.vit.pool_include_prefix else 0
        share = (sizes.shape[1] + others) / (int(self.vit.patch_embed.num_patches) + others)
        return (F.pad(sizes - 1, (0, 0, first, 0)) + 1) * share  # XNNPACK pads with zeros only

    def _reader(self, query: Tensor) -> Tensor:
        """Query of what the head reads: of the class token, or the mean over all patches where there is none."""
        if self.vit.has_class_token:
            return query[:, :, :1]
        return query[:, :, self.num_prefix_tokens :].mean(dim=2, keepdim=True)


def query_key_value(attn: Any, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns query, key and value of timm's ``Attention``, each float [batch, heads, tokens, width].

    Args:
        attn: timm's ``Attention``.
        x: Its input, float [batch, tokens, channels].
    """
    batch, tokens, _ = x.shape
    qkv = attn.qkv(x).reshape(batch, tokens, 3, attn.num_heads, attn.head_dim).permute(2, 0, 3, 1, 4)
    query, keys, values = qkv.unbind(0)
    return attn.q_norm(query), attn.k_norm(keys), values


def _attend(attn: Any, query: Tensor, keys: Tensor, values: Tensor, log_sizes: Tensor | None) -> Tensor:
    """The rest of timm's ungated ``Attention`` in eval mode, float [batch, tokens, channels]."""
    mixed = F.scaled_dot_product_attention(query, keys, values, log_sizes, scale=attn.scale)
    batch, _, tokens, _ = mixed.shape
    joined = mixed.transpose(1, 2).reshape(batch, tokens, -1)  # as in timm, which the graph rewrites match
    return cast(Tensor, attn.proj(attn.norm(joined)))
