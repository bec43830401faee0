"""Ops that write into their input become ops that return a new tensor."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from edgevit.model.program.functional import without_writes, writes  # noqa: E402


class Stem(nn.Module):
    """Writes twice, and reads what was there before in between."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 2, 2), nn.BatchNorm2d(4), nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        before = x * 2
        x += before.sigmoid()
        return x.flatten(1) * before.flatten(1)


class Viewed(nn.Module):
    """Reads what was written through a view made before."""

    def forward(self, images: Tensor) -> Tensor:
        x = images * 2
        view = x.flatten(1)
        x += 1
        return view


def captured(module: nn.Module) -> Any:
    return torch.export.export(module.eval(), (torch.randn(2, 3, 4, 4),)).module()


def test_values_and_all_other_ops_stay() -> None:
    made, pixels = captured(Stem()), torch.randn(2, 3, 4, 4)
    known, ops = made(pixels), [str(node.target) for node in made.graph.nodes]
    assert sum(map(writes, made.graph.nodes)) == 2
    assert without_writes(made.graph)
    made.recompile()
    assert not any(map(writes, made.graph.nodes))
    assert torch.equal(made(pixels), known)
    assert [str(node.target) for node in made.graph.nodes] == [op.replace("_.", ".") for op in ops]


def test_what_is_seen_through_a_view_is_left_to_torch() -> None:
    assert not without_writes(captured(Viewed()).graph)
