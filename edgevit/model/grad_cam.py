"""Which places of an image speak for a class: Grad-CAM at the last map of features that a convolution makes.

Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017: each channel
of the map is weighted by the mean of the gradient of the class's logit over its places; of the weighted sum the positive part is kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from edgevit.errors import UsageError

_CONVOLUTIONS = frozenset({"conv2d", "conv2d.default", "convolution.default"})


class _LastMap(TorchFunctionMode):
    """Keeps the last map of features: what the last convolution with several places made, after what follows in its shape.

    Normalization, activation and the addition of a shortcut keep the shape, so that a residual block's output counts, not
    the branch alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.map: Tensor | None = None
        self.convolutions = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor) and found.ndim == 4 and found.requires_grad and found.is_floating_point():
            if getattr(func, "__name__", "") in _CONVOLUTIONS:
                self.convolutions += 1
                if min(found.shape[2:]) > 1:
                    self.map = found
            elif self.map is not None and found.shape == self.map.shape:
                self.map = found
        return found


def check_grad_cam(module: nn.Module, images: Tensor) -> None:
    """Refuses a model whose convolutions make no map of features that Grad-CAM could be taken at.

    Args:
        module: Classifier in eval mode.
        images: float32 [1, channels, h, w]; their values do not matter.

    Raises:
        UsageError: it has fewer than two convolutions that leave several places, as a vision transformer has.
    """
    found = _last_map(module, images)[1]
    if found.map is None or found.convolutions < 2:
        raise UsageError(
            "its convolutions make no map of features beyond the patches that they embed",
            "give a CNN, a hybrid, or a plain ViT",
        )


def grad_cam(module: nn.Module, images: Tensor, output: int) -> Tensor:
    """Returns how much each place of the last map of features speaks for a class.

    Args:
        module: Classifier in eval mode: float32 [1, channels, h, w] to logits [1, classes]; see :func:`check_grad_cam`.
        images: float32 [1, channels, h, w].
        output: Index of the logit; of a single one, which decides by its sign, what it decides is meant.

    Returns:
        float32 [rows, columns], 0..1: the largest is 1, unless no place speaks for the class.

    Raises:
        UsageError: the logit does not depend on the map.
    """
    logits, found = _last_map(module, images)
    assert found.map is not None  # it was checked
    logit = logits[0, output] if logits.shape[1] > 1 else logits[0, 0].abs()
    (gradient,) = torch.autograd.grad(logit, found.map, allow_unused=True)
    if gradient is None:
        raise UsageError("its logits do not depend on the last map of features", "give a classifier")
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    places = (weights * found.map).sum(dim=1)[0].relu().detach()
    largest = places.max()
    return (places / largest if largest > 0 else places).float()


def _last_map(module: nn.Module, images: Tensor) -> tuple[Tensor, _LastMap]:
    recorder = _LastMap()
    with torch.enable_grad(), recorder:
        logits = module(images.clone().requires_grad_())
    return logits, recorder
