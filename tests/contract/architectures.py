"""Small networks of architectures that timm does not have, and pretraining recipes of ViT with few pixels."""

from __future__ import annotations

from typing import cast

import timm
import torch
from torch import nn

_CONFIG = {
    "input_size": (3, 224, 224), "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225),
    "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
}  # fmt: skip


def _configured(module: nn.Module) -> nn.Module:
    module.pretrained_cfg = _CONFIG  # type: ignore[assignment]
    return module


class _Block(nn.Module):
    """A pre-norm transformer block; ``reduction`` makes keys and values fewer, as in PVT."""

    def __init__(self, width: int, heads: int, ratio: float = 4.0, reduction: int = 1) -> None:
        super().__init__()
        self.heads, self.reduction = heads, reduction
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.project = nn.Linear(width, width)
        if reduction > 1:
            self.reduce, self.norm = nn.Conv2d(width, width, reduction, reduction), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, int(ratio * width)), nn.GELU(), nn.Linear(int(ratio * width), width))

    def _attend(self, x: torch.Tensor, side: int) -> torch.Tensor:
        batch, count, width = x.shape
        seen = x
        if self.reduction > 1:
            image = x.transpose(1, 2).reshape(batch, width, side, side)
            seen = self.norm(self.reduce(image).flatten(2).transpose(1, 2))
        shape = (batch, -1, self.heads, width // self.heads)
        query = self.query(x).reshape(shape).transpose(1, 2)
        key, value = (part.reshape(shape).transpose(1, 2) for part in self.key_value(seen).chunk(2, dim=-1))
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        return cast(torch.Tensor, self.project(mixed.transpose(1, 2).reshape(batch, count, width)))

    def forward(self, x: torch.Tensor, side: int = 0) -> torch.Tensor:
        x = x + self._attend(self.norm1(x), side)
        return x + cast(torch.Tensor, self.mlp(self.norm2(x)))


class T2TViT(nn.Module):
    """Tokens-to-token: overlapping patches are unfolded and mixed by attention, twice, before a plain ViT."""

    def __init__(self, width: int = 128, depth: int = 4, classes: int = 1000) -> None:
        super().__init__()
        self.first, self.second, self.third = (
            nn.Unfold(kernel, stride=stride, padding=padding)
            for kernel, stride, padding in ((7, 4, 2), (3, 2, 1), (3, 2, 1))
        )
        inner = 32
        self.mix1 = nn.Sequential(nn.Linear(3 * 49, inner), _Block(inner, 1, 1.0))
        self.mix2 = nn.Sequential(nn.Linear(inner * 9, inner), _Block(inner, 1, 1.0))
        self.project = nn.Linear(inner * 9, width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, 14 * 14 + 1, width))
        self.blocks = nn.Sequential(*(_Block(width, 4, 3.0) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.mix1(self.first(image).transpose(1, 2))
        x = self.mix2(self.second(x.transpose(1, 2).reshape(len(x), -1, 56, 56)).transpose(1, 2))
        x = self.project(self.third(x.transpose(1, 2).reshape(len(x), -1, 28, 28)).transpose(1, 2))
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1) + self.positions
        return cast(torch.Tensor, self.head(self.norm(self.blocks(x))[:, 0]))


class PVT(nn.Module):
    """The first pyramid vision transformer: position tables per stage, keys and values reduced by convolutions."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 192), classes: int = 1000) -> None:
        super().__init__()
        sides, reductions, before = (56, 28, 14, 7), (8, 4, 2, 1), (3, *widths)
        self.embed = nn.ModuleList(
            nn.Conv2d(inputs, width, 4 if first else 2, 4 if first else 2)
            for inputs, width, first in zip(before, widths, (True, False, False, False), strict=False)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.positions = nn.ParameterList(
            nn.Parameter(torch.zeros(1, side * side, width)) for side, width in zip(sides, widths, strict=True)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(_Block(width, width // 32, 4.0, reduction) for _ in range(2))
            for width, reduction in zip(widths, reductions, strict=True)
        )
        self.sides = sides
        self.norm, self.head = nn.LayerNorm(widths[-1]), nn.Linear(widths[-1], classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = image
        for place, side in enumerate(self.sides):
            x = self.norms[place](self.embed[place](x).flatten(2).transpose(1, 2)) + self.positions[place]
            for block in self.stages[place]:  # type: ignore[union-attr]
                x = block(x, side)
            x = x.transpose(1, 2).reshape(len(x), -1, side, side)
        return cast(torch.Tensor, self.head(self.norm(x.flatten(2).mean(2))))


def t2t_vit() -> nn.Module:
    """T2T-ViT, narrow and shallow."""
    return _configured(T2TViT())


def pvt_v1() -> nn.Module:
    """PVT, narrow and shallow."""
    return _configured(PVT())


def lenet() -> nn.Module:
    """LeNet-5 with ReLU, for RGB."""
    module = nn.Sequential(
        nn.Conv2d(3, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 36, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip
    module.pretrained_cfg = {**_CONFIG, "input_size": (3, 32, 32)}  # type: ignore[assignment]
    return module


def alexnet() -> nn.Module:
    """AlexNet with a narrow classifier."""
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(),
        nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(6), nn.Flatten(),
        nn.Dropout(), nn.Linear(256 * 36, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 1000),
    )  # fmt: skip
    for layer in features:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return _configured(features)


def mae_vit() -> nn.Module:
    """A ViT as MAE leaves it for fine-tuning: mean of the patch tokens, norm after it."""
    return cast(nn.Module, timm.create_model("vit_tiny_patch16_224", global_pool="avg", fc_norm=True))


def dinov2_vit() -> nn.Module:
    """A ViT as of DINOv2, with layer scales and patches of 14 pixels, at 224 pixels and with a classifier."""
    name, narrow = "vit_small_patch14_dinov2", {"embed_dim": 192, "num_heads": 3}
    return _configured(timm.create_model(name, img_size=224, num_classes=1000, **narrow))
