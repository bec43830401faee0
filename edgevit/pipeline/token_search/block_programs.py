"""Captures the middle block of a vision transformer for several numbers of tokens, to be timed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from edgevit.model.program.capture import NamedInput, save_program
from edgevit.pipeline.token_search.block_latency import BlockProgram
from edgevit.pipeline.token_search.divergence import SHARES
from edgevit.pipeline.token_search.vit_parts import one_block
from edgevit.spec.token_plan import Form, Site
from edgevit.tokens.reduce import ReducedVisionTransformer

MOST_COUNTS = 24
_SITE_KEEPS = 0.7


def block_counts(tokens: int) -> tuple[int, ...]:
    """Returns the numbers of tokens to measure: all, and multiples of 8 (or 16, 24 …) down to a quarter.

    Args:
        tokens: Of the dense model, prefix tokens included.

    Returns:
        At most 1 + 24, rising; the multiples are of the smallest step that gives no more.
    """
    step = 8
    while tokens * 3 // 4 // step > MOST_COUNTS:
        step += 8
    return (*(count for count in range(step, tokens, step) if 4 * count >= tokens), tokens)


@dataclass(frozen=True)
class BlockSampling:
    """At how many tokens blocks and sites are looked at."""

    counts: Callable[[int], tuple[int, ...]] = block_counts
    """Numbers of tokens of blocks, by that of the dense model; rising, the last is that of the dense model."""
    site_shares: tuple[float, ...] = (1.0, 0.7, 0.45)
    """Of the dense model's tokens; at so many the cost of a site is measured, and taken on straight lines between."""


def capture_blocks(
    module: nn.Module, folder: Path, forms: tuple[Form, ...], sampling: BlockSampling = BlockSampling()
) -> tuple[BlockProgram, ...]:
    """Captures the middle block for each number of tokens, and with a site in it.

    A block that gets fewer tokens than the dense model weighs its keys by the patches that each stands for, as it does
    after a site of a method that merges.

    Args:
        module: A model that :func:`edgevit.tokens.reduce.check_reducible` accepts, in eval mode.
        folder: Where to write the programs, each from float32 [1, tokens, channels] to the same with as many tokens as
            stay; exists.
        forms: Of the sites.
        sampling: At how many tokens to look.
    """
    vit: Any = module
    middle, prefix, channels = len(vit.blocks) // 2 + 1, int(vit.num_prefix_tokens), int(vit.embed_dim)
    dense = vit.patch_embed.num_patches + prefix
    made = []
    for tokens in sampling.counts(dense):
        program = BlockProgram(folder / f"{tokens}.pt2", tokens, tokens)
        _write(_Block(vit.blocks[middle - 1], tokens, prefix, merged=tokens < dense), channels, program)
        made.append(program)
    for share in sampling.site_shares:
        tokens = prefix + round((dense - prefix) * share)
        keep = round((tokens - prefix) * _SITE_KEEPS)
        for method in SHARES if 0 < keep < tokens - prefix else ():
            for form in forms:
                file = folder / f"{tokens}-{method}-{form}.pt2"
                program = BlockProgram(file, tokens, keep + prefix, method, form)
                reducing = ReducedVisionTransformer(one_block(vit, middle), method, (Site(1, keep),), form)
                _write(reducing, channels, program)
                made.append(program)
    return tuple(made)


class _Block(nn.Module):
    """A block, with or without weights of its keys."""

    def __init__(self, block: nn.Module, tokens: int, prefix: int, merged: bool) -> None:
        super().__init__()
        self.block = block
        sizes = torch.ones(tokens)
        sizes[prefix:] = torch.arange(1, tokens - prefix + 1) % 3 + 1  # not all equal, or it would fold away
        self.register_buffer("log_sizes", sizes.log()[None, None, None] if merged else None)

    def forward(self, input: Tensor) -> Tensor:
        return cast(Tensor, self.block(input, attn_mask=self.log_sizes))


def _write(block: nn.Module, channels: int, program: BlockProgram) -> None:
    example = torch.randn(1, program.tokens, channels, generator=torch.Generator().manual_seed(0))
    save_program(torch.export.export(NamedInput(block).eval(), (example,)), program.file)
