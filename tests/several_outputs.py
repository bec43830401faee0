"""Small networks that are no classifiers, which tests share."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

SIDE = 16
"""Height and width in pixels of their images."""


class EmbeddingAndMaps(nn.Module):
    """Two maps, of which one is read again inside, and a row."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU())
        self.segment = nn.Conv2d(16, 4, 1)
        self.project = nn.Linear(16, 6)
        self.default_cfg = {"input_size": (3, SIDE, SIDE), "mean": (0.5,) * 3, "std": (0.5,) * 3}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Returns "zoomed" [n, 4, 8, 8], "embedding" [n, 6] and "body" [n, 16, 8, 8]."""
        body = self.body(self.stem(images))
        return OrderedDict(zoomed=self.segment(body), embedding=self.project(body.mean((2, 3))), body=body)


class Embedding(nn.Module):
    """One row for each image, which is no logits: it says that it has no classes."""

    num_classes = 0

    def __init__(self) -> None:
        super().__init__()
        self.inner = EmbeddingAndMaps()
        self.default_cfg = self.inner.default_cfg

    def forward(self, images: Tensor) -> Tensor:
        """Returns [n, 6]."""
        return self.inner(images)["embedding"]
