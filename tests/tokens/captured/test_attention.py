"""Finding attention, residual adds and prefix tokens."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, fx, nn  # noqa: E402

from edgevit.model.program.nodes import shape  # noqa: E402
from edgevit.tokens.captured.attention import (  # noqa: E402
    ancestors,
    find_attention,
    prefix_tokens,
    residual_add,
    scaled,
)
from edgevit.tokens.captured.rules import Unknown  # noqa: E402


class Attends(nn.Module):
    """Attention over [1, 5, 8] with two heads, written in some way, with or without a residual."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        heads = x.view(1, 5, 2, 4)
        query, key = (heads * 2).transpose(1, 2), (heads * 3).transpose(1, 2)
        if self.how == "op":
            mixed = nn.functional.scaled_dot_product_attention(query, key, heads.transpose(1, 2), scale=0.25)
        elif self.how == "products":
            mixed = ((query @ key.transpose(2, 3)) * 0.5 / 2.0).softmax(-1) @ heads.transpose(1, 2)
        else:
            scores = torch.einsum("bihd,bjhd->bhij", heads * 2, heads * 3) * 0.25
            mixed = torch.einsum("bhij,bjhd->bhid", scores.softmax(-1), heads)
        made = mixed.transpose(1, 2).reshape(1, 5, 8)
        return made if self.how == "no residual" else x + made


def graph_of(how: str) -> fx.Graph:
    module: Any = torch.export.export(Attends(how), (torch.randn(1, 5, 8),)).module()
    return module.graph


@pytest.mark.parametrize("how", ["op", "products", "einsum"])
def test_query_keys_and_scale_are_found(how: str) -> None:
    found = [each for each in map(find_attention, graph_of(how).nodes) if each]
    assert len(found) == 1
    attention, scale = found[0], found[0].scale
    for each in attention.scales:
        number = scaled(each)[1]
        scale = scale * number if "mul" in str(each.target) else scale / number
    assert scale == 0.25
    ends = ((attention.query, attention.query_order), (attention.keys, attention.keys_order))
    assert [tuple(shape(node)[place] for place in order) for node, order in ends] == [(1, 2, 5, 4)] * 2
    assert 2 in [node.args[1] for node in ancestors(attention.query) if "mul" in str(node.target)]
    assert 3 in [node.args[1] for node in ancestors(attention.keys) if "mul" in str(node.target)]
    joined, stream = residual_add(attention, graph_of_node(attention.node))
    assert stream.op == "placeholder"
    assert "add" in str(joined.target)


def graph_of_node(node: fx.Node) -> fx.Graph:
    return node.graph


def test_without_a_residual_nothing_joins() -> None:
    graph = graph_of("no residual")
    attention = next(each for each in map(find_attention, graph.nodes) if each)
    with pytest.raises(Unknown, match="not added"):
        residual_add(attention, graph)


class Prefixed(nn.Module):
    def __init__(self, where: str) -> None:
        super().__init__()
        self.where, self.token, self.registers = (
            where,
            nn.Parameter(torch.zeros(1, 1, 4)),
            nn.Parameter(torch.zeros(1, 3, 4)),
        )

    def forward(self, images: Tensor) -> Tensor:
        x = images.reshape(1, 4, 6).transpose(1, 2)
        if self.where == "before":
            x = torch.cat([self.registers, x + 1], dim=1)
            return torch.cat([self.token, x], dim=1).transpose(0, 1) * 2
        if self.where == "behind":
            return torch.cat([x, self.token], dim=1)
        x = torch.cat([self.token, x], dim=1)
        return x + x.relu() if self.where == "mixed" else x.flip(1).flip(1)


def prefix_of(where: str) -> int:
    module: Any = torch.export.export(Prefixed(where), (torch.zeros(1, 4, 2, 3),)).module()
    image = next(node for node in module.graph.nodes if node.op == "placeholder")
    images = {node for node in module.graph.nodes if image in ancestors(node)}
    (stream,) = next(reversed(module.graph.nodes)).all_input_nodes
    return prefix_tokens(stream, 0 if where == "before" else 1, images)


def test_prefix_tokens_are_counted() -> None:
    assert prefix_of("before") == 4


@pytest.mark.parametrize(("where", "cause"), [("behind", "behind those"), ("mixed", "cannot be told")])
def test_tokens_that_cannot_be_told_are_refused(where: str, cause: str) -> None:
    with pytest.raises(Unknown, match=cause):
        prefix_of(where)
