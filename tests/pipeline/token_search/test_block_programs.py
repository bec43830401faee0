"""Which blocks are captured: at how many tokens, with which sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.program.capture import load_program  # noqa: E402
from edgevit.pipeline.token_search.block_programs import BlockSampling, block_counts, capture_blocks  # noqa: E402


def test_counts_are_multiples_down_to_a_quarter() -> None:
    assert block_counts(65) == (24, 32, 40, 48, 56, 64, 65)
    assert block_counts(17) == (8, 16, 17)
    assert block_counts(197)[:2] == (56, 64)
    assert len(block_counts(577)) <= 25 and block_counts(577)[1] - block_counts(577)[0] == 24


def test_blocks_are_captured_without_and_with_sites(vit: Any, tmp_path: Path) -> None:
    programs = capture_blocks(vit, tmp_path, ("gather",), BlockSampling(lambda tokens: (33, tokens), (1.0,)))
    assert [(one.tokens, one.after, one.method, one.form) for one in programs] == [
        (33, 33, "", ""), (65, 65, "", ""), (65, 46, "squeeze", "gather"), (65, 46, "tome", "gather"),
    ]  # fmt: skip
    for one in programs:
        out = load_program(one.file).module()(torch.randn(1, one.tokens, 48))  # type: ignore[operator]
        assert out.shape == (1, one.after, 48)


def test_the_dense_block_is_the_middle_one(vit: Any, tmp_path: Path) -> None:
    (program,) = capture_blocks(vit, tmp_path, (), BlockSampling(lambda tokens: (tokens,), ()))
    tokens = torch.randn(1, 65, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = load_program(program.file).module()(tokens)  # type: ignore[operator]
        assert torch.allclose(found, vit.blocks[3](tokens), atol=1e-5)
