"""Reads the attention of a dense model, whichever way its tokens are reduced: timm's by its modules, others by their graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from edgevit.errors import UsageError
from edgevit.model.program.nodes import shape
from edgevit.tokens import attention_maps as maps
from edgevit.tokens.captured.attention import ancestors
from edgevit.tokens.captured.encoder import Encoder, find_encoder
from edgevit.tokens.captured.model import attention_of
from edgevit.tokens.reduce import is_plain, query_key_value


@dataclass(frozen=True)
class TokenGrid:
    """Where the tokens of a model come from."""

    grid: tuple[int, int]
    """Rows and columns of patches."""
    patch: tuple[int, int]
    """Height and width of a patch in pixels."""
    prefix: int
    """Tokens before those of the patches."""
    class_token: bool
    """Whether the head reads the first of them."""


class AttentionReader(ABC):
    """Attention of a dense model."""

    tokens: TokenGrid

    @abstractmethod
    def blocks(self, images: Tensor) -> Iterator[Tensor]:
        """Yields the attention of each block, float [n, heads, tokens, tokens], for images float32 [n, 3, h, w]."""


def open_attention(module: nn.Module, input_size: tuple[int, int]) -> AttentionReader:
    """Returns the reader of a model.

    Args:
        module: Classifier in eval mode.
        input_size: Height and width in pixels.

    Raises:
        UsageError: it has no encoder of softmax attention, or its tokens cannot be laid over the image.
    """
    return _VitReader(module) if is_plain(module) else _EncoderReader(module, input_size)


class _VitReader(AttentionReader):
    """Of timm's ``VisionTransformer``."""

    def __init__(self, vit: Any) -> None:
        self._vit, embed = vit, vit.patch_embed
        grid, patch = tuple(embed.grid_size), tuple(embed.patch_size)
        self.tokens = TokenGrid(grid, patch, int(vit.num_prefix_tokens), bool(vit.has_class_token))

    def blocks(self, images: Tensor) -> Iterator[Tensor]:
        vit = self._vit
        x = vit.norm_pre(vit.patch_drop(vit._pos_embed(vit.patch_embed(images))))
        for block in vit.blocks:
            query, keys, _ = query_key_value(block.attn, block.norm1(x))
            yield maps.attention_weights(query, keys, block.attn.scale)
            x = block(x)


class _EncoderReader(AttentionReader):
    """Of an encoder that was found in the captured program."""

    def __init__(self, module: nn.Module, input_size: tuple[int, int]) -> None:
        encoder = find_encoder(module, input_size)
        grid = _grid(encoder, input_size)
        patch = input_size[0] // grid[0], input_size[1] // grid[1]
        self.tokens = TokenGrid(grid, patch, encoder.prefix, encoder.reader == 0)
        self._attention = attention_of(module, encoder)

    def blocks(self, images: Tensor) -> Iterator[Tensor]:
        for query, keys in self._attention(images):
            yield maps.attention_weights(query, keys, 1.0)


def _grid(encoder: Encoder, input_size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of patches: those of the last map of features before the tokens, or those of a square image."""
    for node in reversed(encoder.program.module.graph.nodes):
        if node in ancestors(encoder.blocks[0].entering) and "conv2d" in str(node.target):
            rows, columns = shape(node)[-2:]
            if rows * columns == encoder.patches:
                return rows, columns
            break
    side = round(encoder.patches**0.5)
    if side * side != encoder.patches or input_size[0] != input_size[1] or input_size[0] % side:
        raise UsageError(
            f"its {encoder.patches} tokens cannot be laid over {input_size[0]} x {input_size[1]} pixels",
            "give a model whose patches one convolution embeds",
        )
    return side, side
