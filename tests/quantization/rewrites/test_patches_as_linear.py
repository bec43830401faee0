"""The patch embedding becomes a linear layer, where it is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.model.program.capture import count_macs  # noqa: E402
from edgevit.model.program.layers import export_again  # noqa: E402
from edgevit.quantization.rewrites import TOLERANCE  # noqa: E402
from edgevit.quantization.rewrites.patches_as_linear import patches_as_linear  # noqa: E402
from tests.models import difference, images, ops, program, vit  # noqa: E402


class Embedding(nn.Module):
    """A convolution, its pixels as tokens, and what reads them."""

    def __init__(self, also: str = "", kernel: Any = 8, **given: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.also, self.proj = also, nn.Conv2d(3, 6, kernel, **{"stride": kernel, **given})
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(6, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.proj(images * 2 if self.also == "not the image" else images)
        tokens = x.flatten(2) if self.also != "reshape" else x.reshape(1, 6, -1)
        if self.also == "no transpose":
            return self.head(tokens.mean(2))
        tokens = tokens.permute(0, 2, 1) if self.also == "permute" else tokens.transpose(1, 2)
        logits = self.head(self.norm(tokens).relu().amax(1))
        return logits + x.mean() if self.also == "convolution read twice" else logits


@pytest.mark.parametrize(
    "make",
    [
        Embedding,
        lambda: Embedding("permute"),
        lambda: Embedding("reshape"),
        lambda: Embedding(bias=False),
        lambda: Embedding(kernel=(8, 4)),
        lambda: Embedding(kernel=(4, 16)),
        vit,
        lambda: vit(distilled=True),
        lambda: vit(global_pool="avg"),
    ],
)
def test_the_function_stays(make: Callable[[], nn.Module]) -> None:
    before = program(make())
    module = before.module()
    assert patches_as_linear(module, images()) == 1
    assert "conv2d" not in ops(module)
    after = export_again(module, before)
    assert difference(before, after) <= TOLERANCE
    assert count_macs(after) == count_macs(before)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Embedding(stride=4),
        lambda: Embedding(kernel=4, stride=8),
        lambda: Embedding(padding=8),
        lambda: Embedding(kernel=4, stride=4, dilation=2),
        lambda: Embedding(groups=3),
        lambda: Embedding(kernel=5),  # 32 pixels are no multiple
        lambda: Embedding("not the image"),
        lambda: Embedding("no transpose"),
        lambda: Embedding("convolution read twice"),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 5)),
    ],
)
def test_other_convolutions_stay(make: Callable[[], nn.Module]) -> None:
    module = program(make()).module()
    before = ops(module)
    assert patches_as_linear(module, images()) == 0
    assert ops(module) == before
