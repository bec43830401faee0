"""Transformers are told from convolutional networks by attention alone."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from edgevit.model.program.architecture import is_transformer  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402


class Tokens(nn.Module):
    """Makes 16 tokens of 4 x 4 pixels, and three projections of them, [batch, 16, 12] each."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 12, 2, stride=2)
        self.query, self.key, self.value = (nn.Linear(12, 12) for _ in range(3))

    def projections(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        return self.query(tokens), self.key(tokens), self.value(tokens)


class Fused(Tokens):
    def forward(self, images: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(*self.projections(images)).mean(1)


class Softmax(Tokens):
    def forward(self, images: Tensor) -> Tensor:
        query, key, value = self.projections(images)
        return ((query @ key.transpose(1, 2)).softmax(-1) @ value).mean(1)


class Linear(Tokens):
    """Attention without softmax: the product of keys and values comes first."""

    def forward(self, images: Tensor) -> Tensor:
        query, key, value = self.projections(images)
        return (query.relu() @ (key.relu().transpose(1, 2) @ value)).mean(1)


class InAutocast(Tokens):
    """Attention in an inner graph."""

    def forward(self, images: Tensor) -> Tensor:
        query, key, value = self.projections(images)
        with torch.autocast("cpu", enabled=False):
            return ((query @ key.transpose(1, 2)).softmax(-1) @ value).mean(1)


class Gated(Tokens):
    """Squeeze-and-excite: a product of activations element by element."""

    def forward(self, images: Tensor) -> Tensor:
        query, key, value = self.projections(images)
        return (value * query.mean(1, keepdim=True).sigmoid() + key).mean(1)


class Separable(Tokens):
    """One product of activations, as the separable attention of MobileViTv2: a weighted mean that scales tokens."""

    def forward(self, images: Tensor) -> Tensor:
        query, key, value = self.projections(images)
        context = query[:, :, :1].softmax(1).transpose(1, 2) @ key
        return (value.relu() * context).mean(1)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [(Fused, True), (Softmax, True), (Linear, True), (InAutocast, True), (Gated, False), (Separable, False)],
)
def test_attention_is_two_chained_products_of_activations(kind: type[nn.Module], answer: bool) -> None:
    assert is_transformer(capture(kind().eval(), (8, 8))) is answer


@pytest.mark.parametrize(
    ("name", "answer"),
    [("test_vit", True), ("test_efficientnet", False), ("test_resnet", False), ("test_mambaout", False)],
)
def test_models_of_timm(name: str, answer: bool) -> None:
    if not timm.is_model(name):
        pytest.skip(f"this timm has no {name}")
    assert is_transformer(capture(timm.create_model(name).eval(), (160, 160))) is answer
