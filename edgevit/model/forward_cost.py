"""What one forward pass computes, seen without capturing the model: enough to plan a run, in the time of one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True)
class ForwardCost:
    """What a model computes for one image."""

    macs: int
    """Of convolutions, linear layers and attention."""
    has_attention: bool
    """Whether it multiplies activations by activations twice or more, or by the fused op."""


def forward_cost(module: nn.Module, input_size: tuple[int, int], channels: int = 3) -> ForwardCost:
    """Returns what a model computes for one image, by running it once.

    Args:
        module: float32 [n, channels, h, w] to logits [n, classes], in eval mode; left untouched.
        input_size: Height and width in pixels.
        channels: Of the images.
    """
    calls = _Calls()
    with torch.inference_mode(), calls:
        module(torch.zeros(1, channels, *input_size))
    return ForwardCost(calls.macs, calls.products >= 2)


class _Calls(TorchFunctionMode):
    """Counts the MACs of the calls that have some, and the products of activations."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = self.products = 0

    def __torch_function__(
        self, call: Callable[..., Any], types: Any, given: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        found = call(*given, **(named or {}))
        name = getattr(call, "__name__", "")
        if name in ("linear", "conv2d", "conv1d"):
            weight: torch.Tensor = given[1] if len(given) > 1 else (named or {})["weight"]
            self.macs += found.numel() * weight[0].numel()
        elif name == "scaled_dot_product_attention":
            query, key, value = given[:3]
            self.macs += query.numel() * key.shape[-2] + value.numel() * query.shape[-2]
            self.products += 2
        elif name in ("matmul", "__matmul__", "bmm") and not any(isinstance(factor, nn.Parameter) for factor in given):
            self.macs += found.numel() * given[0].shape[-1]
            self.products += 1
        return found
