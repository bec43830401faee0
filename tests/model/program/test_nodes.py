"""Nodes of a captured graph: recognized, added and removed."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import fx, nn  # noqa: E402

from edgevit.model.program import nodes  # noqa: E402

ATEN = torch.ops.aten


class Net(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = images.relu()
        return hidden.reshape(2, 6) + hidden.reshape(2, 6)[:, :1]


@pytest.fixture
def graph() -> Any:
    return torch.export.export(Net(), (torch.ones(2, 3, 2),)).module()


def find(graph: fx.GraphModule, target: Any) -> fx.Node:
    return next(node for node in graph.graph.nodes if node.target is target)


def test_a_call_is_known_by_its_op(graph: Any) -> None:
    relu = find(graph, ATEN.relu.default)
    assert nodes.is_call(relu, ATEN.relu.default)
    assert nodes.is_call(relu, *nodes.ACTIVATIONS)
    assert not nodes.is_call(relu, *nodes.RESHAPES)
    assert not nodes.is_call(next(iter(graph.graph.nodes)), ATEN.relu.default)
    assert not nodes.is_call(3, ATEN.relu.default)


@pytest.mark.parametrize(
    ("p", "train", "idle"), [(0.0, True, True), (0.5, False, True), (0.5, True, False), (0.0, False, True)]
)
def test_a_dropout_is_idle_without_probability_or_training(p: float, train: bool, idle: bool) -> None:
    graph = fx.Graph()
    image = graph.placeholder("image")
    assert nodes.is_idle_dropout(graph.call_function(ATEN.dropout.default, (image, p, train))) is idle
    assert not nodes.is_idle_dropout(graph.call_function(ATEN.relu.default, (image,)))


def test_the_shape_of_a_result(graph: Any) -> None:
    relu = find(graph, ATEN.relu.default)
    assert nodes.shape(relu) == (2, 3, 2)
    relu.meta["val"] = 7
    assert nodes.shape(relu) == ()
    del relu.meta["val"]
    assert nodes.shape(relu) == ()


def test_a_node_with_one_reader_and_one_with_two(graph: Any) -> None:
    relu, add = find(graph, ATEN.relu.default), find(graph, ATEN.add.Tensor)
    assert len(relu.users) == 2 and nodes.only_user(relu) is None
    assert nodes.only_user(add) is next(node for node in graph.graph.nodes if node.op == "output")


def test_an_added_call_knows_its_shape(graph: Any) -> None:
    add = find(graph, ATEN.add.Tensor)
    with graph.graph.inserting_after(add):
        node = nodes.call(graph, ATEN.cat.default, [add, add], dim=1)
    assert nodes.shape(node) == (2, 12)
    assert node.meta["val"].device.type == "meta"
    add.replace_all_uses_with(node, delete_user_cb=lambda user: user is not node)
    nodes.tidy(graph)
    assert graph(torch.ones(2, 3, 2)).tolist() == [[2.0] * 12] * 2


def test_tidying_removes_what_nothing_reads(graph: Any) -> None:
    add = find(graph, ATEN.add.Tensor)
    with graph.graph.inserting_after(add):
        unread = nodes.call(graph, ATEN.relu.default, add)
    nodes.tidy(graph)
    assert unread not in list(graph.graph.nodes)
    assert graph(torch.ones(2, 3, 2)).tolist() == [[2.0] * 6] * 2


def test_tidying_finds_a_node_before_what_it_reads(graph: Any) -> None:
    relu, add = find(graph, ATEN.relu.default), find(graph, ATEN.add.Tensor)
    add.append(relu)
    with pytest.raises(RuntimeError, match="used before"):
        nodes.tidy(graph)
