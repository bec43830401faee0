"""Captures the middle block of a vision transformer for a number of tokens, to be timed alone."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from edgevit.model.program.capture import NamedInput, save_program
from edgevit.model.program.copies import copy_with_shared_weights
from edgevit.pipeline.token_search.block_latency import BlockProgram
from edgevit.pipeline.token_search.vit_parts import one_block
from edgevit.spec.token_plan import Form, Site
from edgevit.tokens.reduce import ReducedVisionTransformer


def capturable_block(module: nn.Module, program: BlockProgram) -> nn.Module:
    """Returns the middle block of a vision transformer for a number of tokens, with or without a site in it.

    A block without a site that gets fewer tokens than the dense model weighs its keys by the patches that each stands
    for, as it does after a site of a method that merges.

    Args:
        module: A model that :func:`edgevit.tokens.reduce.check_reducible` accepts, in eval mode.
        program: Tokens that enter and leave.
    """
    vit: Any = module
    middle, prefix = len(vit.blocks) // 2 + 1, int(vit.num_prefix_tokens)
    if program.method:
        sites = (Site(1, program.after - prefix),)
        return ReducedVisionTransformer(one_block(vit, middle), program.method, sites, cast(Form, program.form))
    dense = vit.patch_embed.num_patches + prefix
    return _Block(vit.blocks[middle - 1], program.tokens, prefix, merged=program.tokens < dense)


def save_block(block: nn.Module, shape: tuple[int, ...], program: BlockProgram) -> None:
    """Captures a block.

    Args:
        block: Tokens to tokens.
        shape: Of what enters it for one image.
        program: Where to write it; the folder exists.
    """
    example = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    save_program(torch.export.export(NamedInput(copy_with_shared_weights(block)).eval(), (example,)), program.file)


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
