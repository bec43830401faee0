"""Channels are followed to the layers that read them, and no further than scaling passes through."""

from __future__ import annotations

from collections import Counter

import pytest

torch = pytest.importorskip("torch")

from torch import fx, nn  # noqa: E402

from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.layers import LINEAR, find_layers  # noqa: E402
from edgevit.quantization.channels import Reach, follow  # noqa: E402


class Mixed(nn.Module):
    """Six channels: a convolution reads all of them, and another op those that ``read`` cuts out."""

    def __init__(self, read: slice, op: nn.Module) -> None:
        super().__init__()
        self.first, self.second, self.read, self.op = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 1), read, op

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made = self.first(images).relu()
        return self.second(made).mean((1, 2, 3)) + self.op(made[:, self.read]).mean((1, 2, 3))


class Mean(nn.Module):
    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.mean(self.axis)


def reach(*after: nn.Module) -> tuple[Reach, list[fx.Node]]:
    """Follows the six channels of a convolution, whose result is [1, 6, 4, 4]; returns the layers after it too."""
    return followed(nn.Sequential(nn.Conv2d(3, 6, 1), *after))


def followed(module: nn.Module) -> tuple[Reach, list[fx.Node]]:
    graph = capture(module.eval(), (4, 4)).module()
    first, *others = (layer.node for layer in find_layers(graph))
    return follow(graph, first, -3, 6), others


def test_a_convolution_reads_every_channel_through_relu_and_pooling() -> None:
    found, (second,) = reach(nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 1), nn.Flatten())
    assert list(found.readers) == [second]
    assert found.readers[second].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.free.all()
    assert found.obstacles == Counter()


def test_flattening_repeats_each_channel_for_every_pixel() -> None:
    found, (linear,) = reach(nn.Flatten(), nn.Linear(96, 5))
    assert linear.target is LINEAR
    assert found.readers[linear].tolist() == [channel for channel in range(6) for _ in range(16)]
    assert found.free.all()


def test_a_mean_over_positions_keeps_channels_apart_and_one_over_channels_does_not() -> None:
    found, (linear,) = reach(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))
    assert found.readers[linear].tolist() == [0, 1, 2, 3, 4, 5]
    mixed = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Flatten(2), Mean(1), nn.Linear(16, 5))
    found, _ = followed(mixed)
    assert not found.readers
    assert not found.free.any()
    assert found.obstacles == Counter({"mean": 1})


class Shuffle(nn.Module):
    """Channels 0, 3, 1, 4, 2, 5."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.reshape(1, 2, 3, 4, 4).transpose(1, 2).reshape(1, 6, 4, 4)


def test_a_shuffle_of_channels_is_followed() -> None:
    found, (second,) = reach(Shuffle(), nn.Conv2d(6, 4, 1), nn.Flatten())
    assert found.readers[second].tolist() == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize(("op", "name"), [(nn.GELU(), "gelu"), (nn.ReLU6(), "hardtanh"), (nn.Sigmoid(), "sigmoid")])
def test_ops_that_scaling_does_not_pass_through_are_obstacles(op: nn.Module, name: str) -> None:
    found, _ = reach(op, nn.Conv2d(6, 4, 1), nn.Flatten())
    assert not found.readers
    assert not found.free.any()
    assert found.obstacles == Counter({name: 1})


def test_channels_that_another_op_reads_are_not_free() -> None:
    found, (second,) = followed(Mixed(slice(2, 4), nn.GELU()))
    assert found.readers[second].tolist() == [0, 1, 2, 3, 4, 5]
    assert found.free.tolist() == [True, True, False, False, True, True]
    assert found.obstacles == Counter({"gelu": 1})


def test_both_layers_that_read_a_channel_are_readers() -> None:
    found, layers = followed(Mixed(slice(3, 6), nn.Conv2d(3, 2, 1)))
    assert {tuple(columns.tolist()) for columns in found.readers.values()} == {(0, 1, 2, 3, 4, 5), (3, 4, 5)}
    assert set(found.readers) == set(layers)
    assert found.free.all()
