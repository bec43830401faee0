"""Attention is written out without a scale at run time, where it is plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from edgevit.model.program.capture import count_macs  # noqa: E402
from edgevit.model.program.layers import export_again  # noqa: E402
from edgevit.model.program.nodes import tidy  # noqa: E402
from edgevit.quantization.rewrites import TOLERANCE, RewriteFunction  # noqa: E402
from edgevit.quantization.rewrites.class_token_only import class_token_only  # noqa: E402
from edgevit.quantization.rewrites.explicit_attention import explicit_attention  # noqa: E402
from edgevit.quantization.rewrites.split_query_key_value import split_query_key_value  # noqa: E402
from edgevit.spec.token_plan import Form, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from tests.models import DEPTH, difference, images, ops, program, vit  # noqa: E402


class Attention(nn.Module):
    """Attention over tokens [1, 12, 16] with a layer for each of query, key and value."""

    def __init__(self, also: str = "", key_heads: int = 2, **given: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.also, self.key_heads, self.given = also, key_heads, given
        self.q, self.head = nn.Linear(16, 16), nn.Linear(16, 5)
        self.k, self.v = nn.Linear(16, key_heads * 8), nn.Linear(16, key_heads * 8)
        for layer in (self.q, self.k):
            nn.init.normal_(layer.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images[..., :8, :8].reshape(1, 12, 16)
        q = self.q(x)
        k, v = (layer(x).reshape(1, 12, self.key_heads, 8).transpose(1, 2) for layer in (self.k, self.v))
        heads = (q.relu() if self.also == "activation" else q).reshape(1, 12, 2, 8).transpose(1, 2)
        attended = F.scaled_dot_product_attention(heads, k, v, **self.given).transpose(1, 2).reshape(1, 12, 16)
        if self.also == "query read twice":
            attended = attended + q
        return self.head(attended.amax(1))


@pytest.mark.parametrize(
    ("make", "replaced", "folded"),
    [
        (vit, DEPTH, True),
        (lambda: vit(distilled=True, qkv_bias=False), DEPTH, True),
        (lambda: vit(qk_norm=True), DEPTH, False),
        (Attention, 1, True),
        (lambda: Attention(scale=0.7), 1, True),
        (lambda: Attention("activation"), 1, False),
        (lambda: Attention("query read twice"), 1, False),
        (lambda: Attention(attn_mask=torch.linspace(-3, 3, 12).reshape(1, 1, 1, 12)), 1, True),
        (lambda: Attention(attn_mask=torch.linspace(-3, 3, 12).reshape(1, 12), scale=0.7), 1, True),
    ],
)
def test_the_function_stays(make: Callable[[], nn.Module], replaced: int, folded: bool) -> None:
    before = program(make())
    module = before.module()
    assert explicit_attention(module, images()) == replaced
    names = ops(module)
    assert names.count("bmm") == 2 * replaced
    assert names.count("softmax") == replaced
    assert names.count("mul") == (0 if folded else replaced)
    assert "scaled_dot_product_attention" not in names
    after = export_again(module, before)
    assert difference(before, after) <= TOLERANCE
    assert count_macs(after) == count_macs(before)


@pytest.mark.parametrize("first", [class_token_only, split_query_key_value])
def test_after_other_rewrites(first: RewriteFunction) -> None:
    before = program(vit())
    module = before.module()
    assert first(module, images()) >= 1
    assert explicit_attention(module, images()) == DEPTH
    assert difference(before, export_again(module, before)) <= TOLERANCE
    if first is class_token_only:
        assert "mul" not in ops(module)


@pytest.mark.parametrize(
    ("plan", "form"),
    [
        ("tome:4@1,2", "gather"),
        *(
            pytest.param(plan, form, marks=pytest.mark.slow)
            for plan, form in (("evit:5@1", "gather"), ("tome:5@1", "arithmetic"), ("squeeze:5@1", "gather"))
        ),
    ],
)
def test_with_fewer_tokens_it_is_as_in_the_dense_model(plan: str, form: Form) -> None:
    """Also where the second block counts merged tokens as many, by a mask that is the same for all queries."""
    before = program(reduce_tokens(vit(), parse_plan(plan), form))
    module = before.module()
    tidy(module)
    macs = count_macs(export_again(module, before))
    assert ("log" in ops(module)) is plan.startswith(("tome", "squeeze"))
    assert explicit_attention(module, images()) == explicit_attention(program(vit()).module(), images()) == DEPTH
    assert "scaled_dot_product_attention" not in ops(module)
    after = export_again(module, before)
    assert difference(before, after) <= TOLERANCE
    assert count_macs(after) == macs


@pytest.mark.parametrize(
    "make",
    [
        lambda: Attention(is_causal=True),
        lambda: Attention(attn_mask=torch.zeros(12, 12)),
        lambda: Attention(attn_mask=torch.linspace(0, 1, 12).reshape(12, 1)),
        lambda: Attention(attn_mask=(torch.arange(12) % 3 > 0).reshape(1, 1, 1, 12)),
        lambda: Attention(attn_mask=torch.linspace(-3, 3, 24).reshape(1, 2, 1, 12)),
        lambda: Attention(key_heads=1, enable_gqa=True),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)),
    ],
)
def test_what_is_not_plain_attention_stays(make: Callable[[], nn.Module]) -> None:
    module = program(make()).module()
    before = ops(module)
    assert explicit_attention(module, images()) == 0
    assert ops(module) == before
