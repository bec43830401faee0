"""How much a token plan changes a model's predictions, added up from what single sites do.

A site is taken to do what reducing to the same share of the tokens that enter does at that block alone. On ViT-Tiny that
ranks plans much more like what they do together than the difference of what the two shares of all tokens do alone: the
tokens that an earlier site left out are those that a later one would have left out for free.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from edgevit.pipeline.token_search.staircase import interpolate


@dataclass(frozen=True)
class DivergencePoint:
    """What one site alone does."""

    method: str
    block: int
    """Counted from 1."""
    share: float
    """Of the patch tokens of the image that stays, 0..1."""
    nats: float
    """Mean Kullback-Leibler divergence of the reduced model's classes from the dense model's; see
    :data:`edgevit.pipeline.token_search.divergence.MOST_NATS`."""


@dataclass(frozen=True)
class SiteDivergence:
    """What single sites do, for some methods, blocks and shares."""

    points: tuple[DivergencePoint, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods that were looked at."""
        return tuple(dict.fromkeys(point.method for point in self.points))

    def step(self, method: str, block: int, before: float, after: float) -> float:
        """Returns the nats that a site adds to those of the sites before it.

        Args:
            method: One of ``methods``.
            block: Counted from 1.
            before: Share of the image's patch tokens that enters, above 0, at most 1.
            after: Share that stays, at most ``before``.
        """
        return self.alone(method, block, after / before)

    def alone(self, method: str, block: int, share: float) -> float:
        """Returns the nats of one site; 0 where all tokens stay.

        Between shares they follow a power of the share that leaves, which they do closely; below the smallest share that
        was looked at they go on to grow by the factor they grew by before; above the largest, and where only one was,
        they follow the square of what leaves. Between blocks they follow an exponential; beyond the first and last block
        they are as there.
        """
        blocks = sorted({point.block for point in self.points if point.method == method})
        return _interpolate_log([(at, self._at(method, at, share)) for at in blocks], block)

    def _at(self, method: str, block: int, share: float) -> float:
        found = sorted(
            (1 - point.share, point.nats) for point in self.points if (point.method, point.block) == (method, block)
        )
        # Fewer tokens never do less: where a measurement says so, it is by chance.
        nats = list(itertools.accumulate((nat for _, nat in found), max))
        left, leaving = [away for away, _ in found], 1 - share
        if leaving <= left[0] or len(left) == 1:
            return nats[0] * (leaving / left[0]) ** 2
        if leaving <= left[-1]:
            powers = [(math.log(away), nat) for away, nat in zip(left, nats, strict=True)]
            return _interpolate_log(powers, math.log(leaving))
        if nats[-2] <= 0:
            return nats[-1]
        growth = math.log(nats[-1] / nats[-2]) / (left[-1] - left[-2])
        return nats[-1] * math.exp(growth * (leaving - left[-1]))


def _interpolate_log(points: list[tuple[float, float]], x: float) -> float:
    """See :func:`interpolate`, but with logarithms of the values, where none is 0."""
    if any(value <= 0 for _, value in points):
        return interpolate(points, x)
    return math.exp(interpolate([(at, math.log(value)) for at, value in points], x))
