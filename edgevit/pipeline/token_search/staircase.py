"""What transformer blocks cost on a target, by their number of tokens.

Kernels work in tiles, so that latency rises in steps: all counts of a step are equally fast, and fewer tokens than its
largest lose accuracy for nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from edgevit.results.token_search import BlockPoint, SitePoint
from edgevit.spec.token_plan import Site

TOLERANCE = 0.01
"""Times that differ by less than this share count as equal."""


@dataclass(frozen=True)
class BlockCurve:
    """Time of one block, and of one site in a block, by the tokens that enter; prefix tokens count as tokens."""

    blocks: tuple[BlockPoint, ...]
    """By rising tokens, each number once; the last is that of the dense model."""
    sites: tuple[SitePoint, ...]
    """For each method by rising tokens."""

    @property
    def dense_tokens(self) -> int:
        """Tokens of the dense model."""
        return self.blocks[-1].tokens

    @property
    def counts(self) -> set[int]:
        """Numbers of tokens whose time is known."""
        return {point.tokens for point in self.blocks}

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods whose sites have known costs."""
        return tuple(dict.fromkeys(site.method for site in self.sites))

    def block_ms(self, tokens: float) -> float:
        """Returns milliseconds of a block; between measured counts on a straight line, beyond them that of the nearest."""
        return interpolate([(point.tokens, point.ms) for point in self.blocks], tokens)

    def site_ms(self, method: str, tokens: float) -> float:
        """Returns milliseconds that reducing adds to a block that so many tokens enter, in proportion to them.

        What each token adds is interpolated as blocks are.
        """
        each = [(site.tokens, site.ms / site.tokens) for site in self.sites if site.method == method]
        return tokens * interpolate(each, tokens)

    def steps(self, tolerance: float = TOLERANCE) -> tuple[int, ...]:
        """Returns counts of ``blocks`` that are on a step: faster than each larger one on a step, by more than ``tolerance``.

        Returns:
            Falling; the first is that of the dense model.
        """
        on_step: list[BlockPoint] = []
        for point in reversed(self.blocks):
            if not on_step or point.ms * (1 + tolerance) < on_step[-1].ms:
                on_step.append(point)
        return tuple(point.tokens for point in on_step)

    def change_ms(self, method: str, block: int, before: int, after: int, depth: int) -> float:
        """Returns the milliseconds that a site adds to the time of all blocks; negative where it pays.

        The block of the site has all tokens in its attention and those that stay in its MLP; it counts as half a block
        of each.

        Args:
            method: One of ``methods``.
            block: Counted from 1.
            before: Tokens that enter the block.
            after: Tokens that leave it.
            depth: Blocks of the model.
        """
        blocks_with_fewer = depth - block + 0.5
        return self.site_ms(method, before) - blocks_with_fewer * (self.block_ms(before) - self.block_ms(after))

    def plan_ms(
        self, method: str, sites: Sequence[Site], prefix: int, depth: int, start_tokens: int | None = None
    ) -> float:
        """Returns milliseconds of all blocks of a model.

        The embedding of the patches is left out: a smaller image makes it cheaper, too.

        Args:
            method: One of ``methods``; means nothing without sites.
            sites: By rising block, in patch tokens, as in a plan.
            prefix: Class, distillation and register tokens, which go all the way.
            depth: Blocks of the model.
            start_tokens: That enter the first block, fewer of a smaller image; those of the dense model when None.
        """
        before = self.dense_tokens if start_tokens is None else start_tokens
        total = depth * self.block_ms(before)
        for site in sites:
            after = site.tokens + prefix
            total += self.change_ms(method, site.block, before, after, depth)
            before = after
        return total


def interpolate(points: Sequence[tuple[float, float]], x: float) -> float:
    """Returns the value at ``x`` on straight lines between points; that of the first or last point beyond them.

    Args:
        points: (x, value) by rising x, at least one.
        x: Where to look.
    """
    if x <= points[0][0]:
        return points[0][1]
    for (left, low), (right, high) in itertools.pairwise(points):
        if x <= right:
            return low + (high - low) * (x - left) / (right - left)
    return points[-1][1]
