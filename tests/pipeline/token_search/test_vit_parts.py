"""Parts of a vision transformer: the same weights, tokens instead of images."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.pipeline.token_search.vit_parts import one_block, tail  # noqa: E402


def test_the_tail_is_the_model_from_a_block_on(vit: Any, pixels: Any) -> None:
    with torch.inference_mode():
        entering = vit.blocks[:2](vit._pos_embed(vit.patch_embed(pixels)))
        part = tail(vit, 3)
        assert torch.allclose(part.forward_head(part.norm(part.blocks(entering))), vit(pixels), atol=1e-5)
    assert len(vit.blocks) == 6  # the model is as it was


def test_one_block_is_that_block(vit: Any) -> None:
    tokens = torch.randn(2, 65, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        part = one_block(vit, 4)
        assert torch.allclose(part.forward_head(part.norm(part.blocks(tokens))), vit.blocks[3](tokens), atol=1e-6)
    assert len(part.blocks) == 1
    assert vit.cls_token is not None  # the model is as it was
