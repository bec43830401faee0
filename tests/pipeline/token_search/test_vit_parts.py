"""Parts of a vision transformer: the same weights, tokens instead of images."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.pipeline.token_search.vit_parts import head, one_block, tail  # noqa: E402


@pytest.mark.parametrize("first", [1, 3, 6])
def test_head_and_tail_are_the_model(first: int, vit: Any, pixels: Any) -> None:
    with torch.inference_mode():
        entering = head(vit, pixels, first)
        assert entering.shape == (24, 65, 48)
        part = tail(vit, first)
        assert torch.allclose(part.forward_head(part.norm(part.blocks(entering))), vit(pixels), atol=1e-5)
    assert len(vit.blocks) == 6  # the model is as it was


def test_one_block_is_that_block(vit: Any) -> None:
    tokens = torch.randn(2, 65, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        part = one_block(vit, 4)
        assert torch.allclose(part.forward_head(part.norm(part.blocks(tokens))), vit.blocks[3](tokens), atol=1e-6)
    assert len(part.blocks) == 1
    assert vit.cls_token is not None  # the model is as it was
