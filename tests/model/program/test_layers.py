"""Layers of a captured graph: which there are, new parameters for them, and running the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import fx, nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program import layers  # noqa: E402


class Net(nn.Module):
    """A grouped convolution, a linear layer without bias, and one whose weight is computed from two parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 1, groups=2)
        self.linear = nn.Linear(24, 5, bias=False)
        self.scale, self.base = nn.Parameter(torch.full((3, 1), 2.0)), nn.Parameter(torch.ones(3, 5))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = self.linear(self.conv(images).flatten(1))
        return nn.functional.linear(hidden, self.scale * self.base)


@pytest.fixture
def program() -> Any:
    torch.manual_seed(0)
    return torch.export.export(Net().eval(), (torch.ones(1, 4, 2, 2),))


@pytest.fixture
def graph(program: Any) -> Any:
    return program.module()


def calls(graph: fx.GraphModule, target: Any) -> list[fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "call_function" and node.target is target]


def test_all_layers_are_found_in_order(graph: Any) -> None:
    conv, linear, computed = layers.find_layers(graph)
    assert [tuple(layer.weight.shape) for layer in (conv, linear, computed)] == [(6, 2, 1, 1), (5, 24), (3, 5)]
    assert [layer.groups for layer in (conv, linear, computed)] == [2, 1, 1]
    assert conv.bias is not None and tuple(conv.bias.shape) == (6,)
    assert linear.bias is None
    assert torch.equal(computed.weight, torch.full((3, 5), 2.0))


def test_input_channels_of_a_grouped_convolution(graph: Any) -> None:
    conv, linear, _ = layers.find_layers(graph)
    assert conv.input_channels().tolist() == [[0, 1]] * 3 + [[2, 3]] * 3
    assert linear.input_channels().tolist() == [list(range(24))] * 5


def test_a_product_of_activations_is_no_layer() -> None:
    class Product(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(images, images * 2)

    graph: Any = torch.export.export(Product(), (torch.ones(2, 2),)).module()
    assert layers.find_layers(graph) == []
    (node,) = calls(graph, layers.LINEAR)
    assert layers.find_layer(graph, node) is None
    assert layers.constant(graph, node) is None


def test_an_argument_is_found_by_position_and_by_name() -> None:
    graph = fx.Graph()
    x = graph.placeholder("x")
    node = graph.call_function(torch.ops.aten.linear.default, (x, "weight"), {"bias": "bias"})
    assert layers.argument(node, 1, "weight") == "weight"
    assert layers.argument(node, 2, "bias") == "bias"
    assert layers.argument(node, 3, "other") is None


def test_new_parameters_belong_to_one_node() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layer(self.layer(images))

    module = Twice().eval()
    graph: Any = torch.export.export(module, (torch.ones(1, 2),)).module()
    first, second = calls(graph, layers.LINEAR)
    layers.set_parameters(graph, second, 1, weight=torch.eye(2, dtype=torch.float64) * 3, bias=None)
    graph.recompile()
    torch.testing.assert_close(graph(torch.ones(1, 2)), 3 * module.layer(torch.ones(1, 2)))
    assert layers.argument(first, 1, "weight") is not layers.argument(second, 1, "weight")
    found = layers.find_layer(graph, second)
    assert found is not None and found.weight.dtype == torch.float32 and found.bias is None


def test_an_attached_parameter_is_a_rounded_copy_under_a_new_name(graph: Any) -> None:
    value = torch.tensor([1 / 3], dtype=torch.float64)
    with graph.graph.inserting_before(next(iter(graph.graph.nodes))):
        nodes = [layers.attach(graph, value), layers.attach(graph, value)]
    value.zero_()
    assert nodes[0].target != nodes[1].target
    held = layers.constant(graph, nodes[0])
    assert held is not None and held.dtype == torch.float32 and held.item() == np.float32(1 / 3)
    assert nodes[0].meta["val"].shape == (1,)


def test_exporting_again_drops_parameters_that_nothing_reads(program: Any, graph: Any) -> None:
    before = set(program.state_dict)
    last = layers.find_layers(graph)[-1].node
    layers.set_parameters(graph, last, 1, weight=torch.zeros(3, 5))
    again = layers.export_again(graph, program)
    assert {"scale", "base"} <= before
    assert not {"scale", "base"} & set(again.state_dict)
    module: Any = again.module()
    assert module(torch.ones(1, 4, 2, 2)).tolist() == [[0.0, 0.0, 0.0]]
    assert set(program.state_dict) == before


def test_exporting_again_needs_example_inputs(program: Any) -> None:
    graph = program.module()
    program.example_inputs = None
    with pytest.raises(UsageError, match="without example inputs"):
        layers.export_again(graph, program)


def test_running_images_shows_what_watched_nodes_read_and_make(graph: Any) -> None:
    images = np.random.default_rng(0).standard_normal((3, 4, 2, 2), dtype=np.float32)
    conv, linear, _ = layers.find_layers(graph)
    seen: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []
    logits = layers.run_images(
        graph,
        images,
        (conv.node, linear.node),
        lambda node, read, made: seen.append((node.name, read.shape, made.shape)),
    )
    assert (tuple(logits.shape), logits.dtype) == ((3, 3), torch.float32)
    torch.testing.assert_close(logits[1], graph(torch.from_numpy(images[1:2]))[0])
    assert seen == [(conv.node.name, (1, 4, 2, 2), (1, 6, 2, 2)), (linear.node.name, (1, 24), (1, 5))] * 3


def test_no_images_are_an_error(graph: Any) -> None:
    with pytest.raises(UsageError, match="no calibration images"):
        layers.run_images(graph, np.zeros((0, 4, 2, 2), np.float32))
