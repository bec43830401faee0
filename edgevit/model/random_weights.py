"""Random weights that are random everywhere, so that what a converter loses of them shows in the logits."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_GAINS = (0.5, 1.5)
"""Of norms, layer scales and single numbers: none near zero, or the branch that they scale would be invisible."""
_BIASES = (-0.2, 0.2)
_IMAGES = 4
"""From which batch statistics are estimated."""


def randomize(module: nn.Module, input_size: tuple[int, int], seed: int, channels: int = 3) -> None:
    """Makes random what initialization leaves at one repeated value, in place.

    Gains, layer scales, biases, position tables and the last norm of a residual branch begin as zeros, ones or 1e-6:
    logits would not depend on whole blocks, and verification would prove nothing. Batch normalization gets the
    statistics of a few random images, perturbed, so that activations neither vanish nor explode. Parameters that vary
    already stay as they are.

    Args:
        module: Float32, takes [n, channels, h, w]; is in eval mode afterwards.
        input_size: Height and width in pixels.
        seed: Of all that is drawn.
        channels: Of the images.
    """
    generator = torch.Generator().manual_seed(seed + 1)  # the module was initialized by the seed itself
    gains = {id(part.weight) for part in module.modules() if "Norm" in type(part).__name__ and hasattr(part, "weight")}
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point() and parameter.numel() and _is_repeated(parameter):
                is_gain = id(parameter) in gains or parameter.numel() == 1 or float(parameter.flatten()[0]) != 0
                parameter.uniform_(*(_GAINS if is_gain else _BIASES), generator=generator)
        module.train()
        module.eval()  # the way from one mode to the other drops what modules have cached of their parameters
        _estimate_statistics(module, random_images(_IMAGES, input_size, generator, channels), generator)


def random_images(count: int, size: tuple[int, int], generator: torch.Generator, channels: int = 3) -> torch.Tensor:
    """Returns coloured blobs with some noise, normalized: float32 [count, channels, h, w].

    Args:
        count: Number of images.
        size: Height and width in pixels.
        generator: Draws them.
        channels: Of each.
    """
    coarse = torch.randn(count, channels, 6, 6, generator=generator)
    blobs = nn.functional.interpolate(coarse, size=size, mode="bicubic")
    return blobs + 0.3 * torch.randn(blobs.shape, generator=generator)


def _is_repeated(parameter: torch.Tensor) -> bool:
    return bool((parameter == parameter.flatten()[0]).all())


def _estimate_statistics(module: nn.Module, images: torch.Tensor, generator: torch.Generator) -> None:
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.running_mean is not None]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    try:
        module(images)
    except (RuntimeError, ValueError, AssertionError):  # a module written for single images
        for norm in norms:
            norm.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        spread = norm.running_var.sqrt()
        norm.running_mean += 0.1 * spread * torch.randn(spread.shape, generator=generator)
        norm.running_var *= torch.empty(spread.shape).uniform_(0.8, 1.25, generator=generator)
        norm.momentum = momentum
    module.eval()
