"""Small networks with batch normalization."""

from __future__ import annotations

import torch
from torch import nn


def disturb(module: nn.Module) -> nn.Module:
    """Gives every batch normalization statistics and scales far from the identity."""
    generator = torch.Generator().manual_seed(3)
    for layer in module.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
            layer.running_mean.copy_(torch.randn(layer.running_mean.shape, generator=generator))
            layer.running_var.copy_(torch.rand(layer.running_var.shape, generator=generator) + 0.5)  # type: ignore[union-attr]
            if layer.affine:
                nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
                nn.init.uniform_(layer.bias, -1, 1, generator=generator)
    return module.eval()


def head(channels: int) -> list[nn.Module]:
    """Returns the layers of a head with 5 classes."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 5)]


def conv_bn(**bn: bool) -> nn.Module:
    """Returns a network of one convolution, its norm and a head."""
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, **bn), nn.ReLU(), *head(4))
