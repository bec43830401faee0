"""Models captured for training: the same logits, the same parameters, and what their last layers read."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.trainable import Trainable, capture_for_training  # noqa: E402

# isort: split
from tests.model.program.networks import conv_bn, disturb  # noqa: E402
from tests.models import SIDE, WIDTH, vit  # noqa: E402

BATCH = 3


def images(seed: int = 0) -> Tensor:
    return torch.randn(BATCH, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


class PlainHead(nn.Module):
    """What a class that is not timm's returns: the logits of a pooled vector, scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 7, 3)
        self.head = nn.Linear(7, 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(torch.relu(self.body(images)).mean((2, 3))) * 2 + 1


@pytest.mark.parametrize(
    ("module", "shapes"),
    [
        (vit(), [(BATCH, WIDTH)]),
        (vit(distilled=True), [(BATCH, WIDTH), (BATCH, WIDTH)]),
        (disturb(conv_bn()), [(BATCH, 4)]),
        (PlainHead(), [(BATCH, 7)]),
    ],
    ids=["class token", "two heads", "pooled vector", "own module"],
)
def test_logits_and_features(module: nn.Module, shapes: list[tuple[int, ...]]) -> None:
    module = module.eval()
    model = Trainable(capture_for_training(module, (SIDE, SIDE)))
    found = model(images())
    with torch.no_grad():
        expected = module(images())
    assert torch.allclose(found.logits, expected, atol=1e-5)
    assert [tuple(feature.shape) for feature in found.features] == shapes
    assert set(model.parameters) == {name for name, _ in module.named_parameters()}


def test_the_feature_is_what_the_last_layer_reads() -> None:
    module = PlainHead().eval()
    found = Trainable(capture_for_training(module, (SIDE, SIDE)))(images())
    assert torch.allclose(module.head(found.features[0]) * 2 + 1, found.logits, atol=1e-5)


def test_parameters_get_gradients_and_batch_statistics_stay() -> None:
    module = disturb(conv_bn()).requires_grad_(False)
    model = Trainable(capture_for_training(module, (SIDE, SIDE)))
    for parameter in model.parameters.values():
        parameter.requires_grad_(True)
    first = model(images())
    first.logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters.values())
    assert torch.equal(model(images()).logits, first.logits)


class AddsInPlace(nn.Module):
    """What people write: ``x += f(norm(x))``, whose gradient needs the value before."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.inner, self.head = nn.LayerNorm(SIDE), nn.Linear(SIDE, SIDE), nn.Linear(SIDE, 5)

    def forward(self, images: Tensor) -> Tensor:
        x = images * 2
        x += self.inner(self.norm(x))
        return self.head(x.mean((1, 2)))


def test_a_model_that_adds_in_place_can_be_trained() -> None:
    module = AddsInPlace().eval()
    model = Trainable(capture_for_training(module, (SIDE, SIDE)))
    parameters = list(model.parameters.values())
    for parameter in parameters:
        parameter.requires_grad_(True)
    found = torch.autograd.grad(model(images()).logits.square().sum(), parameters)
    changed = images() * 2
    logits = module.head((changed + module.inner(module.norm(changed))).mean((1, 2)))
    expected = torch.autograd.grad(logits.square().sum(), list(module.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


class DependsOnValues(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :5] if images.sum() > 0 else images.flatten(1)[:, 5:10]


def test_a_model_that_cannot_be_captured_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot capture the model for training") as caught:
        capture_for_training(DependsOnValues(), (SIDE, SIDE))
    assert "--finetune none" in str(caught.value.hint)
