"""Constants that remember how they follow from parameters."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()

from torch import nn  # noqa: E402

from edgevit.model.program.derived import keep_derivations  # noqa: E402
from edgevit.model.program.fold import fold_batch_norm  # noqa: E402
from edgevit.model.program.layers import attach, constant, find_layers, set_parameters  # noqa: E402

# isort: split
from tests.model.program.networks import conv_bn, disturb  # noqa: E402
from tests.models import SIDE  # noqa: E402


def captured(module: nn.Module) -> torch.fx.GraphModule:
    program = torch.export.export(module.eval(), (torch.randn(1, 3, SIDE, SIDE),))
    return program.module()


def test_folded_weights_follow_the_parameters_and_give_them_gradients() -> None:
    module = disturb(conv_bn())
    graph, images = captured(module), torch.randn(1, 3, SIDE, SIDE)
    keep_derivations(graph)
    assert fold_batch_norm(graph) > 0
    torch.testing.assert_close(graph(images), module(images), rtol=1e-4, atol=1e-4)
    names = dict(graph.named_parameters())
    assert names.keys() == dict(module.named_parameters()).keys()  # nothing was added
    with torch.no_grad():
        for parameter in (*names.values(), *module.parameters()):
            parameter.mul_(1.1)
    torch.testing.assert_close(graph(images), module(images), rtol=1e-4, atol=1e-4)
    for parameter in names.values():
        parameter.requires_grad_(True)
    found = torch.autograd.grad(graph(images).square().sum(), list(names.values()))
    expected = torch.autograd.grad(module.requires_grad_(True)(images).square().sum(), list(module.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))


def test_a_constant_that_does_not_follow_from_parameters_is_refused() -> None:
    graph = captured(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2)))
    keep_derivations(graph)
    (layer,) = find_layers(graph)
    with graph.graph.inserting_before(layer.node), pytest.raises(ValueError, match="does not follow from"):
        attach(graph, torch.ones(2))


def test_a_derived_constant_can_be_derived_from_again() -> None:
    graph = captured(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 2)))
    keep_derivations(graph)
    for _ in range(2):
        (layer,) = find_layers(graph)
        assert layer.bias is not None
        set_parameters(graph, layer.node, 1, weight=layer.weight[:, :] * 2, bias=layer.bias + 1)
    graph.recompile()
    weight, bias = graph.get_parameter("1.weight"), graph.get_parameter("1.bias")
    (layer,) = find_layers(graph)
    found = constant(graph, layer.node.args[1])
    assert found is not None
    images = torch.randn(1, 3, SIDE, SIDE)
    torch.testing.assert_close(graph(images), images.flatten(1) @ (4 * weight).T + bias + 2)
