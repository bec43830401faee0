"""Images as training sees them: before augmentation, and as a model takes them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.data.prepared import PreparedImages
from edgevit.results.artifact import Preprocessing

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


def normalize(views: Tensor, contract: Preprocessing) -> Tensor:
    """Returns views float32 [n, c, h, w] in 0..1 minus the mean and divided by the standard deviation per channel."""
    mean, std = (torch.tensor(values).to(views).view(1, -1, 1, 1) for values in (contract.mean, contract.std))
    return (views - mean) / std


def as_taken(views: Tensor, contract: Preprocessing) -> Tensor:
    """Returns views as a model takes them: in its size, and normalized.

    Args:
        views: float32 [n, c, h, w]: pixels in 0..1, or arrays as they are.
        contract: Of the model.
    """
    return normalize(resized(views, contract.input_size), contract)
