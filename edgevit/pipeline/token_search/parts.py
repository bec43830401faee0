"""Parts of a model that take tokens instead of images and share its weights: what a token search times and tries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, cast

from torch import Tensor, nn

from edgevit.pipeline.token_search.block_latency import BlockProgram
from edgevit.pipeline.token_search.block_programs import capturable_block, save_block
from edgevit.pipeline.token_search.search import ModelShape
from edgevit.pipeline.token_search.vit_parts import head, streams, tail
from edgevit.spec.token_plan import Form, Site
from edgevit.tokens.captured.encoder import find_encoder
from edgevit.tokens.captured.model import EncoderPart
from edgevit.tokens.captured.rewrite import NO_REDUCTIONS, Part, Reductions
from edgevit.tokens.plan import check_tokens
from edgevit.tokens.reduce import ReducedVisionTransformer, is_plain


class Parts(ABC):
    """A model in parts."""

    shape: ModelShape

    @abstractmethod
    def streams(self, images: Tensor, blocks: tuple[int, ...]) -> tuple[dict[int, Tensor], Tensor]:
        """Returns the tokens that enter blocks, by block, and the logits, for images float32 [n, 3, h, w]."""

    @abstractmethod
    def head(self, images: Tensor, first: int) -> Tensor:
        """Returns the tokens that enter a block, counted from 1, for images float32 [n, 3, h, w]."""

    @abstractmethod
    def tail(self, method: str, sites: tuple[Site, ...]) -> nn.Module:
        """Returns the model from the block of the first site on: tokens that enter it to logits."""

    @abstractmethod
    def block(self, program: BlockProgram) -> tuple[nn.Module, tuple[int, ...]]:
        """Returns a block in the middle for a number of tokens, and the shape of what enters it for one image.

        A block without a site that gets fewer tokens than the dense model weighs its keys by the patches that each
        stands for, as it does after a site of a method that merges.
        """


def parts_of(module: nn.Module, input_size: tuple[int, int]) -> Parts:
    """Returns the parts of a model.

    Args:
        module: In eval mode; stays as it is.
        input_size: Height and width in pixels.

    Raises:
        UsageError: tokens cannot leave inside it, or it cannot be cut between its blocks.
    """
    check_tokens(module, input_size)
    return _VitParts(module) if is_plain(module) else _EncoderParts(module, input_size)


def capture_block(parts: Parts, program: BlockProgram) -> None:
    """Captures a block in the middle, see :meth:`Parts.block`.

    Args:
        parts: Of the model.
        program: Tokens that enter and leave, and where to write it; the folder exists.
    """
    block, shape = parts.block(program)
    save_block(block, shape, program)


class _VitParts(Parts):
    """Of timm's ``VisionTransformer``."""

    def __init__(self, vit: Any) -> None:
        self._vit = vit
        self.shape = ModelShape(int(vit.patch_embed.num_patches), int(vit.num_prefix_tokens), len(vit.blocks))

    def streams(self, images: Tensor, blocks: tuple[int, ...]) -> tuple[dict[int, Tensor], Tensor]:
        return streams(self._vit, images, blocks)

    def head(self, images: Tensor, first: int) -> Tensor:
        return head(self._vit, images, first)

    def tail(self, method: str, sites: tuple[Site, ...]) -> nn.Module:
        first = sites[0].block
        shifted = tuple(Site(site.block - first + 1, site.tokens) for site in sites)
        return ReducedVisionTransformer(tail(self._vit, first), method, shifted, "gather")

    def block(self, program: BlockProgram) -> tuple[nn.Module, tuple[int, ...]]:
        return capturable_block(self._vit, program), (1, program.tokens, int(self._vit.embed_dim))


class _EncoderParts(Parts):
    """Of an encoder that was found in the captured program."""

    def __init__(self, module: nn.Module, input_size: tuple[int, int]) -> None:
        self._module, self._encoder = module, find_encoder(module, input_size)
        self.shape = ModelShape(self._encoder.patches, self._encoder.prefix, len(self._encoder.blocks))

    def streams(self, images: Tensor, blocks: tuple[int, ...]) -> tuple[dict[int, Tensor], Tensor]:
        *found, logits = self._part(Part(streams=blocks)).outputs(images)
        return dict(zip(blocks, found, strict=True)), logits

    def head(self, images: Tensor, first: int) -> Tensor:
        found: Tensor = self._part(Part(streams=(first,), logits=False))(images)
        return found

    def tail(self, method: str, sites: tuple[Site, ...]) -> nn.Module:
        return self._part(Part(first=sites[0].block), Reductions(method, sites, "gather"))

    def block(self, program: BlockProgram) -> tuple[nn.Module, tuple[int, ...]]:
        encoder, middle = self._encoder, self.shape.depth // 2
        kept = (Site(middle, program.after - encoder.prefix),) if program.method else ()
        merged = not program.method and program.tokens < self.shape.tokens
        part = Part(middle, streams=(middle + 1,), logits=False, entering=program.tokens, merged=merged)
        made = self._part(part, Reductions(program.method, kept, cast(Form, program.form or "gather")))
        sizes = (program.tokens, 1) if encoder.tokens_first else (1, program.tokens)
        return made.alone(), (*sizes, encoder.channels)

    def _part(self, part: Part, reductions: Reductions = NO_REDUCTIONS) -> EncoderPart:
        return EncoderPart(self._module, self._encoder, reductions, part)
