"""Query, key and value are made by layers of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.model.program.layers import export_again  # noqa: E402
from edgevit.quantization.rewrites import TOLERANCE  # noqa: E402
from edgevit.quantization.rewrites.class_token_only import class_token_only  # noqa: E402
from edgevit.quantization.rewrites.split_query_key_value import split_query_key_value  # noqa: E402
from edgevit.spec.token_plan import parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from tests.models import DEPTH, difference, images, ops, program, vit  # noqa: E402


class Parts(nn.Module):
    """Three parts of [1, 2, 12, 8], taken by ``select``; read otherwise by choice."""

    def __init__(self, also: str = "", order: tuple[int, ...] = (2, 0, 3, 1, 4)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.also, self.order, self.qkv, self.head = also, order, nn.Linear(16, 48), nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made = self.qkv(images[..., :8, :8].reshape(1, 12, 16))
        cut = made.reshape(1, 12, 3, 2, 8)
        packed = cut.permute(*self.order)
        mixed = packed[0] * packed[-1] + packed[0] * packed[1].relu()
        if self.also == "all parts at once":
            mixed = mixed + packed.sum(0)
        if self.also == "cut read twice":
            mixed = mixed + cut.mean()
        if self.also == "layer read twice":
            mixed = mixed + made.mean()
        return self.head(mixed.mean((0, 1)).amax(0, keepdim=True))


@pytest.mark.parametrize(
    ("make", "places"),
    [
        (vit, DEPTH),
        (lambda: vit(qk_norm=True, qkv_bias=False), DEPTH),
        (lambda: reduce_tokens(vit(), parse_plan("evit:0.7@1")), DEPTH),
        (lambda: reduce_tokens(vit(), parse_plan("tome:0.7@1")), DEPTH),
        (Parts, 1),
    ],
)
def test_the_numbers_are_the_same(make: Callable[[], nn.Module], places: int) -> None:
    before = program(make())
    module = before.module()
    assert split_query_key_value(module, images()) == places
    names = ops(module)
    assert names.count("linear") == ops(before.module()).count("linear") + 2 * places  # one for each part
    assert not {"split_with_sizes", "permute", "unbind"} & set(names)
    assert difference(before, export_again(module, before)) <= TOLERANCE


class Scaled(Parts):
    """Parts that are not what a linear layer makes alone."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made = self.qkv(images[..., :8, :8].reshape(1, 12, 16)) * images.mean()
        packed = made.reshape(1, 12, 3, 2, 8).permute(*self.order)
        mixed = packed[0] * packed[2] + packed[0] * packed[1].relu()
        return self.head(mixed.mean((0, 1)).amax(0, keepdim=True))


def test_what_no_linear_layer_makes_alone_is_split() -> None:
    before = program(Scaled())
    module = before.module()
    assert split_query_key_value(module, images()) == 1
    assert ops(module).count("split_with_sizes") == 1
    assert difference(before, export_again(module, before)) == 0


def test_keys_and_values_of_a_narrowed_block() -> None:
    before = program(vit())
    module = before.module()
    class_token_only(module, images())
    assert split_query_key_value(module, images()) == DEPTH
    assert "permute" not in ops(module)
    assert difference(before, export_again(module, before)) <= TOLERANCE


@pytest.mark.parametrize(
    "make",
    [
        lambda: Parts("all parts at once"),
        lambda: Parts("cut read twice"),
        lambda: Parts("layer read twice"),
        lambda: Parts(order=(2, 0, 1, 3, 4)),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)),
    ],
)
def test_other_permutations_stay(make: Callable[[], nn.Module]) -> None:
    module = program(make()).module()
    before = ops(module)
    assert split_query_key_value(module, images()) == 0
    assert ops(module) == before
