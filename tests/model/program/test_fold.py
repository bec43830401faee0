"""Constant folding: how much is folded, what has to stay, and the same numbers afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import fx, nn  # noqa: E402

from edgevit.model.program.fold import fold_batch_norm, fold_constant_resampling  # noqa: E402
from tests.model.program.networks import conv_bn, disturb, head  # noqa: E402

IMAGE = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(9))


def graph_of(module: nn.Module) -> Any:
    return torch.export.export(module.eval(), (IMAGE,)).module()


def count(graph: fx.GraphModule, name: str) -> int:
    return sum(name in str(node.target) for node in graph.graph.nodes if node.op == "call_function")


def folded_norms(module: nn.Module) -> tuple[int, int]:
    """Folds, checks the numbers, and returns how many norms were folded and how many are left."""
    graph = graph_of(disturb(module))
    with torch.inference_mode():
        expected = module(IMAGE)
        number = fold_batch_norm(graph)
        torch.testing.assert_close(graph(IMAGE), expected, rtol=1e-4, atol=1e-4)
    return number, count(graph, "batch_norm")


def conv_with_bias_and_groups() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding="same", groups=3), nn.BatchNorm2d(6), *head(6))


def linear_bn(**bn: bool) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 6), nn.BatchNorm1d(6, **bn), nn.ReLU(), nn.Linear(6, 5))


def three_in_a_row() -> nn.Module:
    layers = [layer for _ in range(3) for layer in (nn.Conv2d(3, 3, 1, bias=False), nn.BatchNorm2d(3))]
    return nn.Sequential(*layers, *head(3))


def norm_before_convolution(padding: int, groups: int = 1) -> nn.Module:
    """A norm of the image, with nothing before it to fold into."""
    return nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 6, 3, padding=padding, groups=groups), *head(6))


@pytest.mark.parametrize(
    ("make", "norms"),
    [
        (conv_bn, 1),
        (lambda: conv_bn(affine=False), 1),
        (conv_with_bias_and_groups, 1),
        (linear_bn, 1),
        (lambda: linear_bn(affine=False), 1),
        (three_in_a_row, 3),
        (lambda: norm_before_convolution(padding=0), 1),
        (lambda: norm_before_convolution(padding=0, groups=3), 1),
    ],
)
def test_batch_normalization_disappears(make: Callable[[], nn.Module], norms: int) -> None:
    torch.manual_seed(0)
    assert folded_norms(make()) == (norms, 0)


class SharedOutput(nn.Module):
    """A convolution whose output is read by its norm and by another layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Sequential(*head(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.conv(images)
        return self.head(torch.relu(self.bn(x)) + x)


class SharedLayer(nn.Module):
    """One convolution used twice, with a norm of its own each time."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.first, self.second = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.head = nn.Sequential(*head(3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.second(self.conv(self.first(self.conv(images)).relu())).relu())


class NormOverTokens(nn.Module):
    """A norm over the second axis of tokens, which is not the output axis of the linear layer before it."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.linear, self.bn, self.head = nn.Linear(16, width), nn.BatchNorm1d(tokens), nn.Linear(tokens * width, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.bn(self.linear(images.reshape(1, -1, 16))).relu().flatten(1))


class BatchStatistics(nn.Module):
    """A norm that uses the statistics of its own input, in eval mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(*head(4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = nn.functional.batch_norm(self.conv(images), None, None, self.bn.weight, self.bn.bias, training=True)
        return self.head(x.relu())


@pytest.mark.parametrize(
    ("make", "folded", "left"),
    [
        (SharedOutput, 0, 1),
        (lambda: NormOverTokens(12, 7), 0, 1),
        (lambda: NormOverTokens(12, 12), 0, 1),
        (BatchStatistics, 0, 1),
        (lambda: norm_before_convolution(padding=1), 0, 1),
        (SharedLayer, 2, 0),
    ],
)
def test_what_cannot_be_folded_stays_right(make: Callable[[], nn.Module], folded: int, left: int) -> None:
    torch.manual_seed(0)
    assert folded_norms(make()) == (folded, left)


class Resampled(nn.Module):
    """Adds a learned map, enlarged on every call, to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + nn.functional.interpolate(self.map * 2, size=(8, 8), mode="bilinear")


class Decoder(nn.Module):
    """Interpolates the image itself, which is no constant."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(images, scale_factor=2.0, mode="bilinear").mean(-1).flatten(1)


@pytest.mark.parametrize(("make", "replaced", "left"), [(Resampled, 1, 0), (Decoder, 0, 1)])
def test_only_parameters_are_resampled_beforehand(make: Callable[[], nn.Module], replaced: int, left: int) -> None:
    module = make()
    graph = graph_of(module)
    assert count(graph, "upsample") == 1
    assert (fold_constant_resampling(graph), count(graph, "upsample")) == (replaced, left)
    torch.testing.assert_close(graph(IMAGE), module(IMAGE))
