"""Attention of a dense model: of an encoder found in a program that of timm's with its weights."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import Tensor, nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.tokens.attention_reader import TokenGrid, open_attention  # noqa: E402
from tests.encoders import ENCODERS, each_encoder, shared_encoder  # noqa: E402
from tests.models import image, small_vit  # noqa: E402

SIZE = (32, 32)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("name", each_encoder())
def test_attention_of_an_encoder_is_that_of_timms(name: str) -> None:
    found, known = open_attention(shared_encoder(name), SIZE), open_attention(small_vit(ENCODERS[name][0]), SIZE)
    assert found.tokens == known.tokens
    with torch.inference_mode():
        pairs = list(zip(found.blocks(image(batch=2)), known.blocks(image(batch=2)), strict=True))
    assert len(pairs) == 3
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(one.sum(-1), torch.ones(one.shape[:-1]))


class OfFeatures(nn.Module):
    """An encoder whose tokens are cut from the image by a reshape, not embedded by a convolution."""

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.layer, self.tokens = nn.Linear(3 * 8 * width // tokens, 6), tokens

    def forward(self, images: Tensor) -> Tensor:
        x = self.layer(images.reshape(len(images), self.tokens, -1))
        for _ in range(2):
            x = x + nn.functional.scaled_dot_product_attention(x, x * 2, x)
        return x.mean(1)


def test_tokens_of_a_square_image_lie_on_a_square() -> None:
    assert open_attention(OfFeatures(8, 16).eval(), (8, 8)).tokens == TokenGrid((4, 4), (2, 2), 0, False)


def test_tokens_that_cannot_be_laid_over_the_image_are_refused() -> None:
    with pytest.raises(UsageError, match="12 tokens cannot be laid over 8 x 6 pixels"):
        open_attention(OfFeatures(6, 12).eval(), (8, 6))
