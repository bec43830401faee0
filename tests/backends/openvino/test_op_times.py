"""Ops of small networks under OpenVINO's profiler."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("openvino")

from torch import nn

from edgevit.backends import get_backend
from edgevit.backends.openvino.op_times import _between, _ends, _Means
from edgevit.results.layer_times import LayerTime
from tests.models import SIDE, images, program, vit

INFERENCES = 3


def profiled(module: nn.Module, folder: Path) -> tuple[LayerTime, ...]:
    backend = get_backend("openvino")
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
    assert sum(layer.macs or 0 for layer in found) == get_backend("openvino").read_graph(tmp_path / "model.xml").macs
    assert all(layer.moved_bytes for layer in found if layer.macs)
    assert {layer.arithmetic for layer in found if layer.kind == "linear"} == {"float32"}
    assert counts["linear"] == 9  # four in each of two blocks, and the head
    assert "activation" not in counts  # the plugin computes GELU within the linear layer before it
    assert {"matmul", "elementwise"} <= counts.keys()


def test_depthwise_convolutions_are_told_from_others(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=16), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    counts = Counter(layer.kind for layer in profiled(module, tmp_path) if "conv" in layer.kind)
    assert counts == {"conv": 1, "depthwise_conv": 1}


def test_the_mean_of_a_stretch_is_told_from_running_means() -> None:
    """The first inference takes 1000 us, those up to the fourth 10, and the fifth and sixth 40."""

    def means(count: int, us: float) -> _Means:
        return _Means(count, [LayerTime("fc", "FullyConnected", "linear", us / 1000, 8, 8, "int8")])

    running = [means(1, 1000), means(4, 1030 / 4), means(6, 1110 / 6)]
    found = [_between(first, last)[0].ms for first, last in pairwise(running)]
    assert found == pytest.approx([0.010, 0.040])
    assert _between(means(1, 5), means(3, 1))[0].ms == 0  # cut off to whole microseconds


def test_stretches_grow_with_what_running_means_lose() -> None:
    assert _ends(100) == [1, 3, 6, 12, 25, 50, 100]
    assert _ends(6) == [1, 3, 6]
    assert _ends(2) == [1, 2]
