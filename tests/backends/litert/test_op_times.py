"""Ops of small networks under LiteRT's profiler."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("litert_torch")

from torch import nn

from edgevit.backends import get_backend
from edgevit.results.layer_times import LayerTime
from tests.models import SIDE, images, program, vit

INFERENCES = 3


def profiled(module: nn.Module, folder: Path) -> tuple[LayerTime, ...]:
    backend = get_backend("litert")
    path = backend.export(program(module), folder)
    return backend.op_times(path, 1, "f32", (images(1),), INFERENCES)


def by_family(ops: tuple[LayerTime, ...]) -> dict[str, float]:
    return {kind: sum(op.ms for op in ops if op.kind == kind) for kind in {op.kind for op in ops}}


def test_linear_layers_take_most_of_a_network_of_linear_layers(tmp_path: Path) -> None:
    width = 3 * SIDE * SIDE
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(width, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 5)
    )
    found = by_family(profiled(module, tmp_path))
    assert max(found, key=found.__getitem__) == "linear"


def test_every_family_of_a_vision_transformer_is_found(tmp_path: Path) -> None:
    found = profiled(vit(), tmp_path)
    counts = Counter(layer.kind for layer in found)
    assert counts["conv"] == 1
    assert (
        sum(layer.macs or 0 for layer in found) == get_backend("litert").read_graph(next(tmp_path.glob("model.*"))).macs
    )
    assert all(layer.moved_bytes for layer in found if layer.macs)
    assert {layer.arithmetic for layer in found if layer.macs} == {"float32"}
    assert counts["linear"] == 9  # four in each of two blocks, and the head
    assert counts["activation"] == 2
    assert {"matmul", "elementwise"} <= counts.keys()


def test_depthwise_convolutions_are_told_from_others(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=16), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    counts = Counter(layer.kind for layer in profiled(module, tmp_path) if "conv" in layer.kind)
    assert counts == {"conv": 1, "depthwise_conv": 1}
