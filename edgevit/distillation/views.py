"""Prepared images as training sees them, before augmentation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.data.prepared import PreparedImages

MOST_AT_ONCE = 16
"""Images: so many share the cost of the calls, and still fit the caches."""


def read_pixels(images: PreparedImages, places: Sequence[int]) -> Tensor:
    """Returns the images at these places before normalization, [n, c, h, w]: uint8, or float32 of arrays."""
    return torch.from_numpy(images.read_pixels(places)).permute(0, 3, 1, 2)


def resized(views: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes float32 [n, c, h, w] in 0..1 to a height and width; as it is where it has them."""
    if tuple(views.shape[2:]) == size:
        return views
    return F.interpolate(views, size, mode="bicubic", antialias=True).clamp(0, 1)
