"""Parts of a model that a token search times and tries: of an encoder found in a program those of timm's with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.capture import load_program  # noqa: E402
from edgevit.pipeline.token_search.block_latency import BlockProgram  # noqa: E402
from edgevit.pipeline.token_search.divergence import site_divergences  # noqa: E402
from edgevit.pipeline.token_search.parts import Parts, capture_block, parts_of  # noqa: E402
from edgevit.spec.token_plan import Site  # noqa: E402
from tests.encoders import each_encoder, shared_encoder  # noqa: E402
from tests.models import small_vit  # noqa: E402

SIZE = (32, 32)
pytestmark = pytest.mark.usefixtures("one_thread")


def parts(name: str) -> tuple[Parts, Parts]:
    """Of an encoder, and of timm's."""
    return parts_of(shared_encoder(name), SIZE), parts_of(
        small_vit("average without class" if "mean" in name else "class token"), SIZE
    )


@pytest.mark.parametrize("name", each_encoder())
def test_an_encoder_has_the_same_parts_as_timms(name: str, pixels: Any) -> None:
    found, known = parts(name)
    assert found.shape == known.shape
    sites = (Site(2, 40), Site(3, 24))
    with torch.inference_mode():
        streams, logits = found.streams(pixels[:3], (1, 3))
        expected, same_logits = known.streams(pixels[:3], (1, 3))
        torch.testing.assert_close(logits, same_logits, rtol=1e-4, atol=1e-5)
        first = "tokens first" in name
        for block in (1, 3):
            stream = streams[block].transpose(0, 1) if first else streams[block]
            torch.testing.assert_close(stream, expected[block], rtol=1e-4, atol=1e-4)
        head = found.head(pixels[:3], 2)
        one, other = found.tail("squeeze", sites)(head), known.tail("squeeze", sites)(known.head(pixels[:3], 2))
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torchvision", "torch layers, tokens first", "own, joined"])
def test_single_sites_do_what_they_do_to_timms(name: str, pixels: Any) -> None:
    found, known = (site_divergences(each, [pixels[:8]], (2,)) for each in parts(name))
    assert [(point.method, point.block, point.share) for point in found] == [
        (point.method, point.block, point.share) for point in known
    ]
    assert [point.nats for point in found] == pytest.approx([point.nats for point in known], rel=1e-3)


@pytest.mark.parametrize(("tokens", "after", "method"), [(33, 33, ""), (65, 65, ""), (65, 46, "squeeze")])
def test_a_block_is_captured_with_its_own_weights_alone(tokens: int, after: int, method: str, tmp_path: Path) -> None:
    program = BlockProgram(tmp_path / "block.pt2", tokens, after, method, "gather" if method else "")
    capture_block(parts_of(shared_encoder("torchvision"), SIZE), program)
    loaded = load_program(program.file)
    out = loaded.module()(torch.randn(1, tokens, 48))  # type: ignore[operator]
    assert out.shape == (1, after, 48)
    assert sum(value.numel() for value in loaded.state_dict.values()) <= 12 * 48 * 48 + 13 * 48 + 65


@pytest.mark.slow
def test_a_block_of_tokens_before_batch_is_captured_so(tmp_path: Path) -> None:
    program = BlockProgram(tmp_path / "block.pt2", 65, 40, "tome", "arithmetic")
    capture_block(parts_of(shared_encoder("torch layers, tokens first"), SIZE), program)
    assert load_program(program.file).module()(torch.randn(65, 1, 48)).shape == (40, 1, 48)  # type: ignore[operator]


def test_a_model_of_one_block_cannot_be_cut() -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Conv2d(3, 8, 8, 8), nn.Linear(8, 5)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            x = self.embed(images).flatten(2).transpose(1, 2)
            return self.head((x + nn.functional.scaled_dot_product_attention(x, x * 2, x)).mean(1))

    with pytest.raises(UsageError, match="needs two blocks"):
        parts_of(One().eval(), SIZE)
