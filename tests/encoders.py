"""Encoders of softmax attention that are not timm's, with the weights of :func:`tests.models.small_vit`.

Each computes what the ViT it is made from computes, in other ops: token reduction has to give them the same logits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from edgevit.model.bundled import BUNDLED_MODELS
from edgevit.model.bundled.digits import digits_vit
from tests.models import SIDE, small_vit

PREPROCESSING: dict[str, Any] = {
    "input_size": (3, SIDE, SIDE), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "crop_pct": 1.0,
}  # fmt: skip


class SeparateAttention(nn.Module):
    """Query, key and value by a layer each; products, softmax and sum written out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.proj = nn.Linear(width, width)

    def load(self, attn: Any) -> None:
        layers = (self.query, self.key, self.value)
        for layer, weight, bias in zip(layers, attn.qkv.weight.chunk(3), attn.qkv.bias.chunk(3), strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        self.proj.load_state_dict(attn.proj.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        query, key, value = (
            layer(x).view(batch, count, self.heads, -1).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-2, -1) / (width // self.heads) ** 0.5
        return cast(Tensor, self.proj((scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)))


class EinsumAttention(SeparateAttention):
    """Heads stay behind the tokens, and sums are einsums."""

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        query, key, value = (
            layer(x).reshape(batch, count, self.heads, -1) for layer in (self.query, self.key, self.value)
        )
        scores = torch.einsum("bihd,bjhd->bhij", query * (width // self.heads) ** -0.5, key)
        mixed = torch.einsum("bhij,bjhd->bihd", torch.softmax(scores, dim=3), value)
        return cast(Tensor, self.proj(mixed.reshape(batch, count, width)))


class JoinedAttention(SeparateAttention):
    """Batch and heads are one axis, and sums are batched products."""

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        query, key, value = (
            layer(x).view(batch, count, self.heads, -1).transpose(1, 2).reshape(batch * self.heads, count, -1)
            for layer in (self.query, self.key, self.value)
        )
        scores = torch.bmm(query, key.transpose(1, 2)) * (width // self.heads) ** -0.5
        mixed = torch.bmm(scores.softmax(-1), value).view(batch, self.heads, count, -1)
        return cast(Tensor, self.proj(mixed.permute(0, 2, 1, 3).reshape(batch, count, width)))


class PackedAttention(nn.Module):
    """One layer for query, key and value; gated as in timm where the ViT is."""

    def __init__(self, width: int, heads: int, gated: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.gate = nn.Linear(width, width) if gated else None

    def load(self, attn: Any) -> None:
        for name in ("qkv", "proj", *(["gate"] if self.gate is not None else [])):
            getattr(self, name).load_state_dict(getattr(attn, name).state_dict())

    def forward(self, x: Tensor) -> Tensor:
        batch, _, width = x.shape
        query, key, value = self.qkv(x).chunk(3, dim=-1)
        query, key, value = (
            each.unflatten(-1, (self.heads, width // self.heads)).transpose(1, 2) for each in (query, key, value)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(1, 2).reshape(batch, -1, width)
        if self.gate is not None:
            mixed = torch.sigmoid(self.gate(x)) * mixed
        return cast(Tensor, self.proj(mixed))


class OwnBlock(nn.Module):
    """Norm, attention, norm, MLP; may add in place, as many write it."""

    adds_in_place = False

    def __init__(self, attention: nn.Module, width: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attention = attention
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0.1), nn.Linear(hidden, width))

    def load(self, block: Any) -> None:
        self.norm1.load_state_dict(block.norm1.state_dict())
        self.norm2.load_state_dict(block.norm2.state_dict())
        cast(Any, self.attention).load(block.attn)
        self.mlp[0].load_state_dict(block.mlp.fc1.state_dict())
        self.mlp[3].load_state_dict(block.mlp.fc2.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        if self.adds_in_place:
            x += self.mlp(self.norm2(x))
            return x
        return x + self.mlp(self.norm2(x))


def _sizes(vit: Any) -> tuple[int, int, int, int, int]:
    """Width, side of a patch, classes, heads, and width of the MLPs."""
    block = vit.blocks[0]
    return (
        vit.embed_dim,
        vit.patch_embed.patch_size[0],
        vit.num_classes,
        block.attn.num_heads,
        block.mlp.fc1.out_features,
    )


class OwnViT(nn.Module):
    """The plain ViT that people write themselves."""

    default_cfg: ClassVar = PREPROCESSING

    def __init__(self, vit: Any, attention: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        width, patch, classes, heads, hidden = _sizes(vit)
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width)) if vit.cls_token is not None else None
        self.position = nn.Parameter(torch.zeros_like(vit.pos_embed))
        self.blocks = nn.ModuleList(OwnBlock(attention(width, heads), width, hidden) for _ in vit.blocks)
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, classes)
        with torch.no_grad():
            self.embed.load_state_dict(vit.patch_embed.proj.state_dict())
            if self.class_token is not None:
                self.class_token.copy_(vit.cls_token)
            self.position.copy_(vit.pos_embed)
            for ours, theirs in zip(self.blocks, vit.blocks, strict=True):
                cast(Any, ours).load(theirs)
            last = vit.norm if self.class_token is not None else vit.fc_norm
            self.norm.load_state_dict(last.state_dict())
            self.head.load_state_dict(vit.head.state_dict())

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images).flatten(2).transpose(1, 2)
        if self.class_token is not None:
            x = torch.cat((self.class_token.expand(images.shape[0], -1, -1), x), dim=1)
        x = x + self.position
        for block in self.blocks:
            x = block(x)
        if self.class_token is not None:
            return cast(Tensor, self.head(self.norm(x)[:, 0]))
        return cast(Tensor, self.head(self.norm(x.mean(dim=1))))


class OfTorchLayers(nn.Module):
    """``nn.TransformerEncoder``, whose layers norm first or last, on [batch, tokens] or [tokens, batch]."""

    default_cfg: ClassVar = PREPROCESSING

    def __init__(self, vit: Any, norm_first: bool, batch_first: bool) -> None:
        super().__init__()
        width, patch, classes, heads, hidden = _sizes(vit)
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(vit.cls_token.detach().clone())
        self.position = nn.Parameter(vit.pos_embed.detach().clone())
        layer = nn.TransformerEncoderLayer(
            width,
            heads,
            hidden,
            activation="gelu",
            layer_norm_eps=1e-6,
            norm_first=norm_first,
            batch_first=batch_first,
        )
        self.encoder = nn.TransformerEncoder(layer, len(vit.blocks), nn.LayerNorm(width, eps=1e-6), False)
        self.head = nn.Linear(width, classes)
        self.embed.load_state_dict(vit.patch_embed.proj.state_dict())
        self.head.load_state_dict(vit.head.state_dict())
        cast(nn.Module, self.encoder.norm).load_state_dict(vit.norm.state_dict())
        for ours, theirs in zip(cast(Any, self.encoder.layers), vit.blocks, strict=True):
            ours.self_attn.in_proj_weight.data.copy_(theirs.attn.qkv.weight)
            ours.self_attn.in_proj_bias.data.copy_(theirs.attn.qkv.bias)
            ours.self_attn.out_proj.load_state_dict(theirs.attn.proj.state_dict())
            ours.linear1.load_state_dict(theirs.mlp.fc1.state_dict())
            ours.linear2.load_state_dict(theirs.mlp.fc2.state_dict())
            ours.norm1.load_state_dict(theirs.norm1.state_dict())
            ours.norm2.load_state_dict(theirs.norm2.state_dict())

    def forward(self, images: Tensor) -> Tensor:
        x = self.embed(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.repeat(len(images), 1, 1), x], dim=1) + self.position
        batch_first = cast(Any, self.encoder.layers[0]).self_attn.batch_first
        x = self.encoder(x) if batch_first else self.encoder(x.permute(1, 0, 2)).permute(1, 0, 2)
        return cast(Tensor, self.head(x[:, 0]))


def torchvision_vit(vit: Any) -> nn.Module:
    """torchvision's ViT, as ``vit_b_16`` but small."""
    from torchvision.models import VisionTransformer

    width, patch, classes, heads, hidden = _sizes(vit)
    model = VisionTransformer(SIDE, patch, len(vit.blocks), heads, width, hidden, num_classes=classes)
    encoder: Any = model.encoder
    with torch.no_grad():
        model.conv_proj.load_state_dict(vit.patch_embed.proj.state_dict())
        model.class_token.copy_(vit.cls_token)
        encoder.pos_embedding.copy_(vit.pos_embed)
        encoder.ln.load_state_dict(vit.norm.state_dict())
        cast(Any, model.heads).head.load_state_dict(vit.head.state_dict())
        for ours, theirs in zip(encoder.layers, vit.blocks, strict=True):
            ours.ln_1.load_state_dict(theirs.norm1.state_dict())
            ours.ln_2.load_state_dict(theirs.norm2.state_dict())
            ours.self_attention.in_proj_weight.copy_(theirs.attn.qkv.weight)
            ours.self_attention.in_proj_bias.copy_(theirs.attn.qkv.bias)
            ours.self_attention.out_proj.load_state_dict(theirs.attn.proj.state_dict())
            ours.mlp[0].load_state_dict(theirs.mlp.fc1.state_dict())
            ours.mlp[3].load_state_dict(theirs.mlp.fc2.state_dict())
    model.default_cfg = PREPROCESSING  # type: ignore[assignment]
    return model


def gated_vit() -> Any:
    """timm's ViT with gated attention."""
    vit = small_vit()
    torch.manual_seed(1)
    for block in vit.blocks:
        block.attn.gate = nn.Linear(vit.embed_dim, vit.embed_dim)
    return vit.eval()


def in_place(model: nn.Module) -> nn.Module:
    """Lets the blocks of an :class:`OwnViT` add in place."""
    for block in cast(Any, model).blocks:
        block.adds_in_place = True
    return model


MEAN = "average without class"
ENCODERS: Mapping[str, tuple[str, Callable[[Any], nn.Module]]] = {
    "torchvision": ("class token", torchvision_vit),
    "torch layers": ("class token", lambda vit: OfTorchLayers(vit, norm_first=True, batch_first=True)),
    "torch layers, tokens first": ("class token", lambda vit: OfTorchLayers(vit, norm_first=True, batch_first=False)),
    "own, packed": ("class token", lambda vit: OwnViT(vit, PackedAttention)),
    "own, in place": ("class token", lambda vit: in_place(OwnViT(vit, PackedAttention))),
    "own, separate": ("class token", lambda vit: OwnViT(vit, SeparateAttention)),
    "own, einsum": ("class token", lambda vit: OwnViT(vit, EinsumAttention)),
    "own, joined": ("class token", lambda vit: OwnViT(vit, JoinedAttention)),
    "own, mean": (MEAN, lambda vit: OwnViT(vit, SeparateAttention)),
}
"""Encoders that are the same function as a kind of :func:`tests.models.small_vit`."""


FAST = ("torchvision", "torch layers, tokens first", "own, joined", "own, mean")
"""Those that are looked at each time; others are slow, as capturing takes a second."""


def each_encoder(*more: str) -> list[Any]:
    """Returns the names of all, and of more, with marks for those that are slow."""
    return [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in (*ENCODERS, *more)]


def encoder(name: str) -> nn.Module:
    """Returns one of ``ENCODERS``, in eval mode."""
    kind, make = ENCODERS[name]
    return make(small_vit(kind)).eval()


@functools.cache
def shared_encoder(name: str) -> nn.Module:
    """Returns one of ``ENCODERS``, made and captured once; not to be changed."""
    return encoder(name)


def post_norm(batch_first: bool = True) -> nn.Module:
    """Returns torch's layers as they are by default, with the norm last."""
    return OfTorchLayers(small_vit(), norm_first=False, batch_first=batch_first).eval()


def own_gated() -> nn.Module:
    """Returns a ViT written by hand with the gates and weights of :func:`gated_vit`."""
    return OwnViT(gated_vit(), lambda width, heads: PackedAttention(width, heads, gated=True)).eval()


def own_digits() -> nn.Module:
    """Factory for ``--model``: "tests.encoders:own_digits", with the weights of the bundled digits_vit."""
    vit = digits_vit()
    vit.load_state_dict(load_file(BUNDLED_MODELS["digits_vit"].weights))
    return OwnViT(vit, SeparateAttention).eval()
