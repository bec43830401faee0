"""Small networks that quantization can spoil."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import nn

from edgevit.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()


class WideResidual(nn.Module):
    """A convolutional classifier in which a residual add carries channels far apart, as in a vision transformer.

    What one add puts on, the next takes off again: in float nothing is lost, with one 8-bit range for the sum nearly
    everything is.
    """

    default_cfg: ClassVar = {
        "input_size": (3, 32, 32),
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "crop_pct": 1.0,
    }

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.offset = nn.Parameter(torch.linspace(-1000, 1000, 16).reshape(1, 16, 1, 1), requires_grad=False)
        self.body = nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)
        self.head = nn.Linear(32 * 8 * 8, 64, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        wide = torch.relu(self.stem(images)) + self.offset
        narrow = wide - self.offset
        return cast(torch.Tensor, self.head(torch.relu(self.body(narrow)).flatten(1)))


def wide_residual() -> nn.Module:
    """Factory for ``--model``: "package.module:wide_residual"."""
    return WideResidual().eval()
