"""What the axes of tensors in an encoder stand for: images of a batch, tokens, and numbers that do not change.

A length is a product of factors in row-major order, so that axes can be joined and cut again: the axis [batch x heads] of
a reshaped query is ``(BATCH, 3)``. The number 1 is the empty product.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """All tokens of an image, or all but the first ones."""

    skipped: int = 0
    """Number of prefix tokens that were cut off."""


@dataclass(frozen=True)
class Batch:
    """The images of a batch."""


BATCH = Batch()
TOKENS = Tokens()
Factor = int | Tokens | Batch
Length = tuple[Factor, ...]
Axes = tuple[Length, ...]


@dataclass(frozen=True)
class Counts:
    """What batch and tokens are in some program."""

    batch: int
    tokens: int

    def size(self, length: Length) -> int:
        """Returns the number of entries along an axis."""
        return math.prod(self._value(factor) for factor in length)

    def _value(self, factor: Factor) -> int:
        if isinstance(factor, Tokens):
            return self.tokens - factor.skipped
        return self.batch if isinstance(factor, Batch) else factor

    def regroup(self, axes: Axes, sizes: tuple[int, ...]) -> Axes | None:
        """Returns the axes after a reshape.

        Args:
            axes: Before it.
            sizes: After it.

        Returns:
            One length for each size; None where the reshape cuts batch or tokens into parts.
        """
        left = [factor for length in axes for factor in length][::-1]
        found = []
        for size in sizes:
            length: Length = ()
            while size > 1:
                if not left:
                    return None
                factor = left.pop()
                value = self._value(factor)
                if size % value and isinstance(factor, int) and factor % size == 0:
                    left.append(factor // size)
                    factor, value = size, size
                if size % value:
                    return None
                length, size = joined(length, (factor,)), size // value
            found.append(length)
        return tuple(found) if all(self._value(factor) == 1 for factor in left) else None


def of_size(size: int) -> Length:
    """Returns the length of an axis that does not change."""
    return () if size == 1 else (size,)


def joined(*lengths: Length) -> Length:
    """Returns the product of lengths, with neighbouring numbers multiplied."""
    found: list[Factor] = []
    for factor in (factor for length in lengths for factor in length):
        if isinstance(factor, int) and found and isinstance(found[-1], int):
            found[-1] *= factor
        elif factor != 1:
            found.append(factor)
    return tuple(found)


def has_tokens(length: Length) -> bool:
    """Returns whether an axis has an entry for each token."""
    return any(isinstance(factor, Tokens) for factor in length)


def has_batch(length: Length) -> bool:
    """Returns whether an axis has an entry for each image."""
    return BATCH in length


def all_tokens(length: Length) -> Tokens | None:
    """Returns which tokens an axis is; None for one that is anything more, or without tokens."""
    return length[0] if len(length) == 1 and isinstance(length[0], Tokens) else None


def token_axes(axes: Axes) -> tuple[int, ...]:
    """Returns the places of the axes that have an entry for each token."""
    return tuple(place for place, length in enumerate(axes) if has_tokens(length))
