"""The position embedding is added to the patches, and beforehand to what is constant."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.model.program.layers import export_again  # noqa: E402
from edgevit.quantization.rewrites.position_before_concat import position_before_concat  # noqa: E402
from tests.models import difference, images, ops, program, vit  # noqa: E402


class Tokens(nn.Module):
    """Tokens [1, 12, 16] behind a class token, and a constant that is added to all."""

    def __init__(self, also: str = "", shape: tuple[int, ...] = (1, 13, 16)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.also, self.cls, self.position = also, nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(shape))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images[..., :8, :8].reshape(1, 12, 16)
        cls = x.mean(1, keepdim=True) if self.also == "class token of the image" else self.cls
        parts = [x, cls] if self.also == "class token last" else [cls, x]
        joined = torch.cat(parts, -2)
        if self.also == "position first":
            y = self.position + joined
        elif self.also == "weighted":
            y = torch.add(joined, self.position, alpha=2)
        else:
            y = joined + self.position
        if self.also == "concatenation read twice":
            y = y + joined.relu()
        return self.head(self.norm(y).amax(1))


@pytest.mark.parametrize(
    "make",
    [
        vit,
        lambda: vit(reg_tokens=2),
        lambda: vit(distilled=True),
        lambda: vit(global_pool="avg"),
        Tokens,
        lambda: Tokens("class token last"),
        lambda: Tokens("position first"),
    ],
)
def test_the_sums_are_the_same(make: Callable[[], nn.Module]) -> None:
    before = program(make())
    module = before.module()
    assert position_before_concat(module, images()) == 1
    names = ops(module)
    assert names.index("add") < names.index("cat")
    assert names.count("add") == ops(before.module()).count("add")
    assert difference(before, export_again(module, before)) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: vit(no_embed_class=True),
        lambda: vit(class_token=False, global_pool="avg"),
        lambda: Tokens("class token of the image"),
        lambda: Tokens("weighted"),
        lambda: Tokens("concatenation read twice"),
        lambda: Tokens(shape=(1, 1, 16)),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)),
    ],
)
def test_other_sums_stay(make: Callable[[], nn.Module]) -> None:
    module = program(make()).module()
    before = ops(module)
    assert position_before_concat(module, images()) == 0
    assert ops(module) == before
