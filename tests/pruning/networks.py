"""Small networks with units to prune, and images for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.pruning.prune import PruningImages
from edgevit.results.artifact import Preprocessing

ensure_torchvision_schemas()

SIDE = 32
CONTRACT = Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.25,) * 3)


def small_vit(**given: Any) -> nn.Module:
    """Two blocks of width 32 with four heads of 8, and 64 hidden units."""
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    settings = {
        "img_size": SIDE,
        "patch_size": 8,
        "embed_dim": 32,
        "depth": 2,
        "num_heads": 4,
        "mlp_ratio": 2.0,
        **given,
    }
    return _lively(VisionTransformer(num_classes=5, **settings))


def small_residuals() -> nn.Module:
    """Two inverted residuals of 16 channels, expanded to 48, one of them with a shortcut."""
    from timm.models._efficientnet_blocks import InvertedResidual

    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, stride=4, padding=1),
        InvertedResidual(16, 16, exp_ratio=3.0),
        InvertedResidual(16, 16, exp_ratio=3.0, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 5),
    )
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean, -0.3, 0.3)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
            nn.init.uniform_(part.weight, 0.5, 2.0)
            nn.init.uniform_(part.bias, -0.3, 0.3)
    return _lively(module)


def _lively(module: nn.Module) -> nn.Module:
    """With biases and larger weights, so that each unit does something of its own."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=2 / part.in_features**0.5)
            nn.init.normal_(part.bias, std=0.3)
    return module.eval().requires_grad_(False)


def noise_images(count: int = 24) -> PruningImages:
    return PruningImages(PreparedImages(open_images(f"noise:{count}").samples, CONTRACT))


def pixels(count: int = 4) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(count, 3, SIDE, SIDE)).astype(np.float32))
