"""The last block computes what the head reads, and no model without such a head is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.export import ExportedProgram  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from edgevit.model.bundled.digits import digits_vit  # noqa: E402
from edgevit.model.program.capture import count_macs  # noqa: E402
from edgevit.model.program.layers import export_again  # noqa: E402
from edgevit.model.program.nodes import tidy  # noqa: E402
from edgevit.quantization.rewrites import TOLERANCE  # noqa: E402
from edgevit.quantization.rewrites.class_token_only import class_token_only  # noqa: E402
from edgevit.spec.token_plan import Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from tests.models import DEPTH, PATCHES, WIDTH, difference, images, ops, program, sharpen, vit  # noqa: E402


def reduced(plan: str, form: Form = "gather") -> nn.Module:
    return reduce_tokens(vit(), parse_plan(plan), form)


def tidied(before: ExportedProgram) -> ExportedProgram:
    """Without ops that nothing reads, which a rewrite would take away and which are none of its savings."""
    module = before.module()
    tidy(module)
    return export_again(module, before)


def saved(tokens: int, read: int, width: int) -> int:
    """MACs that the last block does without: 2 D² (query, projection) + 8 D² (MLP) + 2 N D (attention) a token."""
    return (tokens - read) * (10 * width**2 + 2 * tokens * width)


@pytest.mark.parametrize(
    ("make", "tokens", "read"),
    [
        (vit, PATCHES + 1, 1),
        (lambda: vit(reg_tokens=3), PATCHES + 4, 1),
        (lambda: vit(init_values=0.1), PATCHES + 1, 1),
        (lambda: vit(qk_norm=True), PATCHES + 1, 1),
        (lambda: vit(qkv_bias=False), PATCHES + 1, 1),
        (lambda: vit(no_embed_class=True), PATCHES + 1, 1),
        (lambda: vit(pre_norm=True), PATCHES + 1, 1),
        (lambda: vit(distilled=True), PATCHES + 2, 2),
        (lambda: reduced("evit:0.7@1"), 13, 1),
        (lambda: reduced("tome:0.7@1"), 13, 1),
        (lambda: reduced("squeeze:0.7@1", "arithmetic"), 13, 1),
    ],
)
def test_a_plain_transformer(make: Callable[[], nn.Module], tokens: int, read: int) -> None:
    before = tidied(program(make()))
    module = before.module()
    assert class_token_only(module, images()) == 1
    after = export_again(module, before)
    assert difference(before, after) <= TOLERANCE
    assert count_macs(before) - count_macs(after) == saved(tokens, read, WIDTH)
    assert class_token_only(after.module(), images()) == 0


def test_the_digits_transformer() -> None:
    torch.manual_seed(0)
    before = program(sharpen(digits_vit()))
    module = before.module()
    assert class_token_only(module, images()) == 1
    after = export_again(module, before)
    assert difference(before, after) <= TOLERANCE
    assert count_macs(before) - count_macs(after) == saved(257, 1, 48)


@pytest.mark.parametrize("method", ["evit", "tome", "squeeze"])
def test_tokens_that_leave_in_the_last_block(method: str) -> None:
    """The head reads one token, but all that attention made are chosen from: the MLP alone is narrowed."""
    before = tidied(program(reduced(f"{method}:0.7@2")))
    module = before.module()
    assert class_token_only(module, images()) == 1
    after = export_again(module, before)
    assert difference(before, after) <= TOLERANCE
    assert count_macs(before) - count_macs(after) == 12 * 8 * WIDTH**2


@pytest.mark.parametrize("kind", [{"global_pool": "avg"}, {"global_pool": "map", "class_token": False}])
def test_a_head_that_reads_all_tokens(kind: dict[str, Any]) -> None:
    module = program(vit(**kind)).module()
    before = ops(module)
    assert class_token_only(module, images()) == 0
    assert ops(module) == before


class Head(nn.Module):
    """Attention and MLP over tokens [1, 12, 16], whose first token is read; more by choice."""

    def __init__(self, also: str = "", **attention: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.also, self.attention = also, attention
        self.norm, self.qkv, self.proj, self.head = (
            nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16), nn.Linear(16, 5)
        )  # fmt: skip
        nn.init.normal_(self.qkv.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images[..., :8, :8].reshape(1, 12, 16)
        q, k, v = self.qkv(self.norm(x)).reshape(1, 12, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        if self.also == "same query and key":
            k = q
        attended = F.scaled_dot_product_attention(q, k, v, **self.attention).transpose(1, 2).reshape(1, 12, 16)
        y = x + self.proj(attended)
        if self.also == "tokens mixed":
            y = y + y.flip(1)
        if self.also == "in place":
            y.relu_()
        logits = self.head(F.gelu(y)[:, 0])
        if self.also == "mean":
            logits = logits + self.head(y.mean(1))
        if self.also == "last":
            logits = logits + self.head(F.gelu(y)[:, -1])
        return logits


def test_the_test_model_is_one_that_can_be_narrowed() -> None:
    module = program(Head()).module()
    assert class_token_only(module, images()) == 1
    assert difference(program(Head()), module) <= TOLERANCE
    assert [node.meta["val"].shape[-2] for node in module.graph.nodes if node.name.startswith("scaled")] == [1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Head(is_causal=True),
        lambda: Head(attn_mask=torch.zeros(12, 12)),
        lambda: Head(attn_mask=torch.linspace(0, 1, 12).reshape(12, 1)),
        lambda: Head("same query and key"),
    ],
)
def test_attention_that_is_not_plain_stays_whole(make: Callable[[], nn.Module]) -> None:
    """What follows it is narrowed all the same."""
    module = program(make()).module()
    assert class_token_only(module, images()) == 1
    assert difference(program(make()), module) <= TOLERANCE
    assert [node.meta["val"].shape[-2] for node in module.graph.nodes if node.name.startswith("scaled")] == [12]


@pytest.mark.parametrize("also", ["tokens mixed", "mean", "last", "in place"])
def test_other_readers_keep_all_tokens(also: str) -> None:
    module = program(Head(also)).module()
    before = ops(module)
    assert class_token_only(module, images()) == 0
    assert ops(module) == before
    assert difference(program(Head(also)), module) == 0


def test_a_network_without_tokens() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    assert class_token_only(program(module).module(), images()) == 0


def test_only_the_last_block_is_narrowed() -> None:
    module = program(vit()).module()
    class_token_only(module, images())
    made = [node.meta["val"].shape[-2] for node in module.graph.nodes if node.name.startswith("scaled")]
    assert made == [PATCHES + 1] * (DEPTH - 1) + [1]
