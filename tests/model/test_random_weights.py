"""Random weights hide nothing: each layer shows in the logits."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgevit.model.load import load_model
from edgevit.model.random_weights import random_images, randomize
from edgevit.spec.spec import ModelSpec


class Hidden(nn.Module):
    """What initialization hides: a layer scale, a zero gain, a scalar gate, a position table, cached biases."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.norm_of_branch = nn.LayerNorm(8)
        nn.init.zeros_(self.norm_of_branch.weight)
        self.scale = nn.Parameter(torch.full((8,), 1e-6))
        self.gate = nn.Parameter(torch.zeros(()))
        self.positions = nn.Parameter(torch.zeros(1, 8))
        self.head = nn.Linear(8, 4)
        nn.init.zeros_(self.head.bias)
        self.cached: torch.Tensor | None = None

    def train(self, mode: bool = True) -> Hidden:
        super().train(mode)
        if mode:
            self.cached = None
        return self

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.cached is None:
            self.cached = self.positions * 2
        x = self.norm(self.conv(image)).mean((2, 3)) + self.cached
        return self.head(x + self.gate * self.scale * self.norm_of_branch(x))  # type: ignore[no-any-return]


def randomized(seed: int = 0) -> Hidden:
    module = Hidden().eval().requires_grad_(False)
    module(torch.zeros(1, 3, 8, 8))
    randomize(module, (8, 8), seed)
    return module


def test_nothing_is_left_at_one_value() -> None:
    module = randomized()
    for name, value in module.state_dict().items():
        if value.is_floating_point() and value.numel() > 1:
            assert float(value.std()) > 0.01, name
    for value in (module.scale, module.gate, module.norm.weight, module.norm_of_branch.weight):
        assert float(value.min()) >= 0.5
        assert float(value.max()) <= 1.5
    assert module.cached is not None
    assert torch.equal(module.cached, module.positions * 2)
    assert not module.training


def test_the_seed_decides() -> None:
    one, same, other = randomized(), randomized(), randomized(1)
    assert torch.equal(one.scale, same.scale)
    assert torch.equal(one.norm.running_mean, same.norm.running_mean)  # type: ignore[arg-type]
    assert not torch.equal(one.scale, other.scale)


def test_batch_statistics_are_those_of_images() -> None:
    module = randomized()
    with torch.no_grad():
        made = module.norm(module.conv(random_images(32, (8, 8), torch.Generator().manual_seed(5))))
        plain = (made - module.norm.bias[:, None, None]) / module.norm.weight[:, None, None]
    assert float(plain.mean((0, 2, 3)).abs().max()) < 0.6
    assert 0.5 < float(plain.std((0, 2, 3)).min()) < float(plain.std((0, 2, 3)).max()) < 2


def test_what_varies_already_stays() -> None:
    before = Hidden().conv.weight
    assert torch.equal(randomized().conv.weight, before)


@pytest.mark.parametrize("model", ["digits_vit", "digits_cnn"])
def test_every_layer_of_a_loaded_model_shows(model: str) -> None:
    """Negating any layer changes the logits far more than parity allows."""
    loaded = load_model(ModelSpec(name=model, random_weights=True))
    module = loaded.module
    images = random_images(2, loaded.preprocessing.input_size, torch.Generator().manual_seed(3))
    with torch.no_grad():
        before = module(images)
        assert 1e-2 < float(before.abs().max()) < 1e2
        for name, part in module.named_modules():
            if isinstance(part, (nn.Conv2d, nn.Linear)):
                part.weight.neg_()
                change = float((module(images) - before).abs().max() / before.abs().max())
                part.weight.neg_()
                assert change > 1e-3, name
