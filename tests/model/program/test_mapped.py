"""Graphs of batch 1 that torch.vmap maps over a batch."""

from __future__ import annotations

from typing import Any, cast

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from edgevit.model.program.mapped import ATTENTION, MappedInterpreter  # noqa: E402

TOKENS, WIDTH = 5, 8


class Attend(nn.Module):
    """Attention of two heads."""

    def forward(self, tokens: Tensor) -> Tensor:
        heads = tokens.unflatten(2, (2, WIDTH // 2)).transpose(1, 2)
        return nn.functional.scaled_dot_product_attention(heads * 2, heads, heads)


def test_attention_is_mapped_over_a_batch_and_differentiated() -> None:
    batch = torch.randn(3, TOKENS, WIDTH, generator=torch.Generator().manual_seed(0), requires_grad=True)
    graph = cast(Any, torch.export.export(Attend(), (batch[:1].detach(),)).module())
    assert ATTENTION in {node.target for node in graph.graph.nodes}
    found = torch.vmap(lambda tokens: MappedInterpreter(graph).run(tokens[None])[0])(batch)
    torch.testing.assert_close(found, Attend()(batch))
    (gradient,) = torch.autograd.grad(found.square().sum(), batch, retain_graph=True)
    (expected,) = torch.autograd.grad(Attend()(batch).square().sum(), batch)
    torch.testing.assert_close(gradient, expected)
