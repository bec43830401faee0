"""What is put between the calls of a captured encoder: reductions, and the weights of tokens that stand for several."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgevit.tokens import maths
from edgevit.tokens.captured.axes import BATCH, Axes, Batch, Factor, Length, has_batch
from edgevit.tokens.maths import Patches
from edgevit.tokens.reduction import TokenReduction, log_sizes_of


@dataclass(frozen=True)
class SiteLayout:
    """How the tensors at a site lie."""

    prefix: int
    """Tokens before those of the patches."""
    reader: int | None
    """Place of the token by whose attention patches are scored; None for the mean over all patches."""
    tokens_first: bool
    """Whether tokens are [tokens, batch, channels]; else [batch, tokens, channels]."""
    query: tuple[Length, ...]
    """Axes of the query before the last two, which are tokens and width."""
    keys: tuple[Length, ...]
    """The same of the keys."""
    scale: float
    """Factor of their products."""


class SiteStep(nn.Module):
    """Reduces the tokens behind the attention of a block."""

    def __init__(self, reduction: TokenReduction, layout: SiteLayout) -> None:
        super().__init__()
        self.reduction = reduction
        self.layout = layout

    def forward(
        self, x: Tensor, query: Tensor, keys: Tensor, sizes: Tensor | None, log_sizes: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None, tuple[Tensor, Tensor, Tensor]]:
        """Returns fewer tokens, their sizes and log sizes, and what was decided by.

        Args:
            x: Tokens, float, as the layout says.
            query: float [..., tokens, width].
            keys: As ``query``.
            sizes: float [batch, patches, 1]; None where each token is one patch.
            log_sizes: float [batch, 1, 1, tokens]; None where none was merged.
        """
        layout, first = self.layout, self.layout.prefix
        x = x.transpose(0, 1) if layout.tokens_first else x
        query, keys = by_heads(query, layout.query), by_heads(keys, layout.keys)
        if sizes is None:
            sizes = x[:, first:, :1] * 0 + 1  # computed, since XNNPACK does not concatenate constants
        attention = maths.attention_received(self._reader(query), keys, layout.scale, log_sizes)[:, first:]
        metric = keys[:, :, first:].mean(dim=1)
        patches, fewer = self.reduction(Patches(x[:, first:], sizes), attention, metric)
        x = torch.cat([x[:, :first], patches], dim=1) if first else patches
        x = x.transpose(0, 1) if layout.tokens_first else x
        weights = log_sizes_of(fewer, first) if self.reduction.merges else None
        return x, fewer, weights, (sizes, attention, metric)

    def _reader(self, query: Tensor) -> Tensor:
        """Query of what the head reads, float [batch, heads, 1, width]."""
        if self.layout.reader is None:
            return query[:, :, self.layout.prefix :].mean(dim=2, keepdim=True)
        return query[:, :, self.layout.reader : self.layout.reader + 1]


class AttentionStep(nn.Module):
    """Tells what a block attends by."""

    def __init__(self, layout: SiteLayout) -> None:
        super().__init__()
        self.layout = layout

    def forward(self, query: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Returns query, scaled, and keys, each float [batch, heads, tokens, width].

        Args:
            query: float [..., tokens, width].
            keys: As ``query``.
        """
        return by_heads(query, self.layout.query) * self.layout.scale, by_heads(keys, self.layout.keys)


class KeyWeights(nn.Module):
    """What proportional attention adds to the scores of an attention that the model has (ToMe, equation 1)."""

    def __init__(self, axes: Axes, place: int, skipped: int) -> None:
        super().__init__()
        self.axes, self.place, self.skipped = axes, place, skipped

    def forward(self, log_sizes: Tensor) -> Tensor:
        """Returns log sizes float [batch, 1, 1, tokens] with axes that fit the scores."""
        return aligned(log_sizes[:, 0, 0, self.skipped :], self.axes, self.place)


class PoolWeights(nn.Module):
    """Weights with which a mean over tokens is one over image patches."""

    def __init__(self, axes: Axes, place: int, others: int, patches: int) -> None:
        super().__init__()
        self.axes, self.place, self.others, self.patches = axes, place, others, patches

    def forward(self, sizes: Tensor) -> Tensor:
        """Returns weights with axes that fit the tokens, of sizes float [batch, patches, 1]."""
        share = (sizes.shape[1] + self.others) / (self.patches + self.others)
        weights = (F.pad(sizes - 1, (0, 0, self.others, 0)) + 1) * share  # XNNPACK pads with zeros only
        return aligned(weights.squeeze(2), self.axes, self.place)


def by_heads(values: Tensor, leading: tuple[Length, ...]) -> Tensor:
    """Returns query or keys as float [batch, heads, tokens, width].

    Args:
        values: float [..., tokens, width].
        leading: Its axes before the last two, of batch and heads in any order, joined or not.
    """
    factors = [factor for length in leading for factor in length]
    batch = _batch_of(values.shape, leading)
    if factors[0] == BATCH and len(leading) == len(factors) == 2:
        return values
    values = values.reshape(*(_value(factor, batch) for factor in factors), *values.shape[-2:])
    return values.movedim(factors.index(BATCH), 0).reshape(batch, -1, *values.shape[-2:])


def aligned(values: Tensor, axes: Axes, place: int) -> Tensor:
    """Returns a value of each token with axes that fit another tensor.

    Args:
        values: float [batch, tokens].
        axes: Of the other tensor.
        place: The axis of its tokens.
    """
    batch, tokens = values.shape
    at = next(place for place, length in enumerate(axes) if has_batch(length))
    single: list[int] = []
    for where, length in enumerate(axes):
        if where == place:
            single.append(tokens)
        elif where == at:
            single += [batch if factor == BATCH else 1 for factor in length]
        else:
            single.append(1)
    found = (values.transpose(0, 1) if place < at else values).reshape(single)
    if len(axes[at]) == 1:
        return found
    whole = [*single[:at], *(_value(factor, batch) for factor in axes[at]), *single[at + len(axes[at]) :]]
    joined = [*single[:at], math.prod(_value(factor, batch) for factor in axes[at]), *single[at + len(axes[at]) :]]
    return found.expand(whole).reshape(joined)


def _value(factor: Factor, batch: int) -> int:
    return batch if isinstance(factor, Batch) else cast(int, factor)


def _batch_of(sizes: torch.Size, leading: tuple[Length, ...]) -> int:
    at = next(place for place, length in enumerate(leading) if has_batch(length))
    return sizes[at] // math.prod(factor for factor in leading[at] if isinstance(factor, int))
