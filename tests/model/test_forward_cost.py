"""MACs and attention, told from one pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from edgevit.model.bundled.digits import digits_cnn, digits_vit
from edgevit.model.forward_cost import forward_cost
from edgevit.model.program.architecture import is_transformer
from edgevit.model.program.capture import capture


class Products(nn.Module):
    """A convolution, then products of activations."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 2, stride=2, groups=1)
        self.count = count

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        tokens = self.conv(image).flatten(2)
        for _ in range(self.count):
            tokens = (tokens.transpose(1, 2) @ tokens)[:, :4]
        return tokens.mean(dim=2)


@pytest.mark.parametrize(("count", "has_attention", "products"), [(0, False, 0), (1, False, 16 * 16 * 4)])
def test_layers_and_products_are_counted(count: int, has_attention: bool, products: int) -> None:
    cost = forward_cost(Products(count).eval(), (8, 8))
    assert cost.has_attention is has_attention
    assert cost.macs == 4 * 16 * 12 + products


@pytest.mark.parametrize("make", [digits_vit, digits_cnn])
def test_the_bundled_models_are_told_as_by_their_captured_programs(make: Callable[[], nn.Module]) -> None:
    module = make().eval()
    assert forward_cost(module, (32, 32)).has_attention is is_transformer(capture(module, (32, 32)))
