"""The block that is captured: for how many tokens, with which site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.program.capture import load_program  # noqa: E402
from edgevit.pipeline.token_search.block_latency import BlockProgram  # noqa: E402
from edgevit.pipeline.token_search.parts import capture_block, parts_of  # noqa: E402


@pytest.mark.parametrize(
    ("tokens", "after", "method"), [(33, 33, ""), (65, 65, ""), (65, 46, "squeeze"), (65, 46, "tome")]
)
def test_blocks_are_captured_without_and_with_a_site(
    tokens: int, after: int, method: str, vit: Any, tmp_path: Path
) -> None:
    program = BlockProgram(tmp_path / "block.pt2", tokens, after, method, "gather" if method else "")
    capture_block(parts_of(vit, (32, 32)), program)
    out = load_program(program.file).module()(torch.randn(1, tokens, 48))  # type: ignore[operator]
    assert out.shape == (1, after, 48)


def test_the_dense_block_is_the_middle_one(vit: Any, tmp_path: Path) -> None:
    program = BlockProgram(tmp_path / "block.pt2", 65, 65)
    capture_block(parts_of(vit, (32, 32)), program)
    tokens = torch.randn(1, 65, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = load_program(program.file).module()(tokens)  # type: ignore[operator]
        assert torch.allclose(found, vit.blocks[3](tokens), atol=1e-5)
