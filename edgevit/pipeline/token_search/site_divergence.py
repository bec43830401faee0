"""How much a token plan changes a model's predictions, added up from what single sites do.

A site that goes from a share of the tokens to a smaller one is taken to do what reducing to the smaller share at that
block alone does, less what reducing to the larger share there alone does: two sites in one block then do what one does.
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
    """Mean Kullback-Leibler divergence of the reduced model's classes from the dense model's."""


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
            before: Share of the image's patch tokens that enters, 0..1.
            after: Share that stays.
        """
        return self.alone(method, block, after) - self.alone(method, block, before)

    def alone(self, method: str, block: int, share: float) -> float:
        """Returns the nats of one site; 0 where all tokens stay.

        Between shares and blocks that were looked at on straight lines; below the smallest share it goes on to grow by
        the factor it grew by before, for it is convex; beyond the first and last block that were looked at as there.
        """
        blocks = sorted({point.block for point in self.points if point.method == method})
        return interpolate([(at, self._at(method, at, share)) for at in blocks], block)

    def _at(self, method: str, block: int, share: float) -> float:
        found = sorted(
            (point.share, point.nats) for point in self.points if (point.method, point.block) == (method, block)
        )
        # Fewer tokens never do less: where a measurement says so, it is by chance.
        shares = [1.0, *(at for at, _ in reversed(found))]
        nats = list(itertools.accumulate([0.0, *(nat for _, nat in reversed(found))], max))
        if share >= shares[-1] or len(shares) < 3 or nats[-2] <= 0:
            return interpolate(list(zip(reversed(shares), reversed(nats), strict=True)), share)
        growth = math.log(nats[-1] / nats[-2]) / (shares[-2] - shares[-1])
        return nats[-1] * math.exp(growth * (shares[-1] - share))
