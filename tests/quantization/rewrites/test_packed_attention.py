"""Attention whose query, key and value come from one layer is found, and attention of other kinds is not."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from edgevit.model.program.layers import LINEAR  # noqa: E402
from edgevit.quantization.rewrites.packed_attention import (  # noqa: E402
    ATTENTION,
    attention_mask,
    find_packed,
    is_plain_attention,
)
from tests.models import DEPTH, PATCHES, WIDTH, program, vit  # noqa: E402


class Attention(nn.Module):
    """Two heads of width 4 over twelve tokens, from one layer that makes query, key and value."""

    def __init__(self, order: tuple[int, ...] = (2, 0, 3, 1, 4), **given: Any) -> None:
        super().__init__()
        self.order, self.given = order, given
        self.qkv, self.head = nn.Linear(16, 24), nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = images[..., :8, :8].reshape(1, 12, 16)
        packed = self.qkv(tokens).reshape(1, 12, 3, 2, 4).permute(*self.order)
        query, key, value = self.parts(packed)
        made = F.scaled_dot_product_attention(query, key, value, **self.given)
        return self.head(made.transpose(1, 2).reshape(1, 12, 8).mean(1))

    def parts(self, packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return packed[0], packed[1], packed[-1]


class QueryIsKey(Attention):
    def parts(self, packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        query = packed[0]
        return query, query, packed[2]


class WholeIsRead(Attention):
    def parts(self, packed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return packed[0] + packed.sum(0), packed[1], packed[2]


def attentions(module: nn.Module) -> list[Any]:
    return [node for node in program(module).module().graph.nodes if node.target is ATTENTION]


def test_every_block_of_a_vision_transformer_has_three_parts() -> None:
    found = find_packed(program(vit()).module())
    assert len(found) == DEPTH
    for packed in found:
        assert (packed.batch, packed.tokens, packed.heads, packed.width) == (1, PATCHES + 1, 2, WIDTH // 2)
        assert packed.count == 3
        assert sorted(packed.parts) == [0, 1, 2]
        assert packed.source.target is LINEAR


def test_single_picks_are_parts_too_also_counted_from_the_end() -> None:
    (packed,) = find_packed(program(Attention()).module())
    assert {place: len(nodes) for place, nodes in packed.parts.items()} == {0: 1, 1: 1, 2: 1}
    (shared,) = find_packed(program(QueryIsKey()).module())
    assert (sorted(shared.parts), shared.count) == ([0, 2], 3)


@pytest.mark.parametrize("make", [WholeIsRead, lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 5))])
def test_what_is_not_cut_into_single_parts_is_not_found(make: Any) -> None:
    assert find_packed(program(make()).module()) == []


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({}, True),
        ({"scale": 0.7}, True),
        ({"attn_mask": torch.zeros(1, 1, 1, 12)}, True),
        ({"attn_mask": torch.zeros(12, 12)}, False),
        ({"attn_mask": torch.ones(1, 1, 1, 12, dtype=torch.bool)}, False),
        ({"is_causal": True}, False),
    ],
)
def test_plain_attention(given: dict[str, Any], plain: bool) -> None:
    (node,) = attentions(Attention(**given))
    assert is_plain_attention(node) is plain
    assert (attention_mask(node) is not None) is ("attn_mask" in given)


def test_attention_needs_three_tensors_of_its_own() -> None:
    (node,) = attentions(QueryIsKey())
    assert not is_plain_attention(node)
    assert not is_plain_attention(node.args[0])
