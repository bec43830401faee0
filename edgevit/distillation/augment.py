"""Random views of training images, which teacher and student see alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

_LEAST_AREA = 0.2
_ASPECT = (3 / 4, 4 / 3)
_JITTER = 0.3
"""Of brightness, contrast and saturation, which vary by ± this share."""


def moved(
    pixels: Tensor, draws: Tensor, *, max_degrees: float = 12.0, max_shift: float = 0.1, max_zoom: float = 0.1
) -> Tensor:
    """Rotates, shifts and scales each image by an amount of its own, padding with black.

    Args:
        pixels: float32 [b, c, h, w], in 0..1; stays as it is.
        draws: Uniform in 0..1, [4, b]: how far each image is turned, shifted to the right and down, and scaled.
        max_degrees: Rotations are in ± this many degrees.
        max_shift: Shifts along each axis are in ± this share of the image's side.
        max_zoom: The scale is in 1 ± this.

    Returns:
        float32 [b, c, h, w], in 0..1.
    """
    turn, right, down, zoom = draws.to(pixels).mul(2).sub(1)
    angle, scale = torch.deg2rad(turn * max_degrees), 1 / (1 + zoom * max_zoom)
    # grid_sample's axes run from -1 to 1: a side is 2, and a pixel is not square where h != w.
    aspect = pixels.shape[2] / pixels.shape[3]
    rows = [
        torch.stack([scale * angle.cos(), -scale * angle.sin() * aspect, right * (2 * max_shift)], dim=1),
        torch.stack([scale * angle.sin() / aspect, scale * angle.cos(), down * (2 * max_shift)], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def random_crops(pixels: Tensor) -> Tensor:
    """Crops, flips and recolours each image at random, by PyTorch's own random state.

    A crop of 20 to 100 % of the area, as Inception's training has it (Szegedy et al., "Going deeper with convolutions",
    2015); a weak crop overfits where images are few.

    Args:
        pixels: uint8 [b, c, h, w], or float32 of arrays. Only grey and RGB are recoloured.

    Returns:
        float32 [b, c, h, w], see :func:`to_float`.
    """
    ensure_torchvision_schemas()
    from torchvision.transforms import v2

    channels, height, width = pixels.shape[1:]
    steps = [
        v2.RandomResizedCrop((height, width), scale=(_LEAST_AREA, 1.0), ratio=_ASPECT, antialias=True),
        v2.RandomHorizontalFlip(),
    ]
    if pixels.dtype == torch.uint8 and channels in (1, 3):
        steps.append(v2.ColorJitter(brightness=_JITTER, contrast=_JITTER, saturation=_JITTER))
    view = v2.Compose(steps)
    return to_float(torch.stack([view(image) for image in pixels]))


def to_float(pixels: Tensor) -> Tensor:
    """Returns float32 of the same shape: pixels uint8 in 0..1, floats as they are."""
    return pixels.float().div(255) if pixels.dtype == torch.uint8 else pixels.float()


def mix(pixels: Tensor, shares: Tensor) -> Tensor:
    """Blends each image with another one of its batch (Zhang et al., "mixup: Beyond empirical risk minimization", 2018).

    Args:
        pixels: float32 [b, c, h, w].
        shares: Of each image in its blend, [b], 0..1.
    """
    own = shares.to(pixels).view(-1, 1, 1, 1)
    return own * pixels + (1 - own) * pixels.flip(0)
