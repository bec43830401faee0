"""Layers that the logits do not depend on are named; all others are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from edgevit.artifacts.unseen_layers import UnseenJob, UnseenLayers, find_unseen_layers
from edgevit.artifacts.verify import FLOAT_TOLERANCE, compare
from edgevit.data.images import Samples
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CheckFailed
from edgevit.model.program.capture import capture, save_program
from edgevit.results.artifact import Preprocessing

SIZE = (8, 8)


class Scaled(nn.Module):
    """A stem, residual branches with layer scales, and a head."""

    def __init__(self, *scales: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 1)) for _ in scales
        )
        self.scales = nn.ParameterList(nn.Parameter(torch.full((8, 1, 1), scale)) for scale in scales)
        self.head = nn.Linear(8, 4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image)
        for branch, scale in zip(self.branches, self.scales, strict=True):
            x = x + scale * branch(x)
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


@pytest.fixture
def images(tmp_path: Path) -> PreparedImages:
    pixels = np.random.default_rng(0).integers(0, 255, (3, *SIZE, 3), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=pixels)
    half = (0.5, 0.5, 0.5)
    return PreparedImages(Samples(str(tmp_path / "images.npz"), ("0", "1", "2")), Preprocessing(SIZE, half, half))


def unseen(module: nn.Module, images: PreparedImages, folder: Path) -> UnseenLayers:
    save_program(capture(module.eval(), SIZE), folder / "model.pt2")
    return find_unseen_layers(UnseenJob(folder / "model.pt2", images))


def test_every_layer_of_a_sound_model_is_seen(images: PreparedImages, tmp_path: Path) -> None:
    found = unseen(Scaled(1.0, 0.5), images, tmp_path)
    assert (found.modules, found.layers, found.note) == ((), 6, "")


@pytest.mark.parametrize("scale", [0.0, 1e-6])
def test_a_block_behind_a_tiny_layer_scale_is_named(scale: float, images: PreparedImages, tmp_path: Path) -> None:
    found = unseen(Scaled(1.0, scale, 1.0), images, tmp_path)
    assert found.modules == ("branches.1.0", "branches.1.2")
    assert found.note.startswith("verification does not see 2 of 8 layers")
    assert "branches.1.0, branches.1.2" in found.note


@pytest.mark.parametrize("place", range(6))
def test_turning_the_sign_of_a_layer_fails_verification_unless_it_is_named(
    place: int, images: PreparedImages, tmp_path: Path
) -> None:
    """The claim behind the report, layer by layer: what is not named, comparing logits catches."""
    module = Scaled(1.0, 1e-6).eval()
    named = unseen(module, images, tmp_path).modules
    layers = [(name, part) for name, part in module.named_modules() if isinstance(part, (nn.Conv2d, nn.Linear))]
    batch = torch.from_numpy(images.array())
    name, layer = layers[place]
    with torch.no_grad():
        before = module(batch).numpy()
        layer.weight.neg_()
        if layer.bias is not None:
            layer.bias.neg_()
        after = module(batch).numpy()
    try:
        passed = compare(after, before, "pytorch", FLOAT_TOLERANCE).passed
    except CheckFailed:
        passed = False
    assert passed == (name in named)


class Normed(nn.Module):
    """A layer before a norm, which no factor on the layer gets through."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image)
        return self.head(nn.functional.layer_norm(x, x.shape[1:]).amax((2, 3)))  # type: ignore[no-any-return]


def test_a_layer_before_a_norm_is_seen(images: PreparedImages, tmp_path: Path) -> None:
    assert unseen(Normed(), images, tmp_path).modules == ()


def test_many_layers_are_counted_and_the_first_named() -> None:
    note = UnseenLayers(tuple(f"blocks.{index}" for index in range(9)), 20).note
    assert note.endswith("blocks.0, blocks.1, blocks.2, blocks.3 and 5 more")
