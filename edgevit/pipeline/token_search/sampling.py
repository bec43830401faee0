"""At how many tokens blocks are timed: at few, between which a curve is drawn; more where it shows a step."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

import numpy as np

from edgevit.pipeline.token_search.staircase import BlockCurve, interpolate
from edgevit.results.token_search import BlockPoint

MOST_COUNTS = 24
_FIRST_COUNTS = 4
"""About so many are timed at first, besides that of the dense model."""
_TILES = (16, 32, 64)
"""Tokens that kernels may work on at once; a tile of 8 looks like none at multiples of 8."""
_SMOOTH = 0.03
"""A curve without steps that is nowhere further from what was measured, as a share, is taken to be right."""
_TILED = 0.015
"""The same for one with steps, which also has to be nearer than one without by ``_NEARER``."""
_NEARER = 3.0
_NOISE = 0.003
"""Share by which times differ by chance; no fit counts as nearer than that."""
_JUMP = 0.1
"""Share of the time of a block by which two counts differ more than their distance tells, where there is a step."""
_KEPT = 0.7
"""Share of the tokens that is kept at the site whose cost is measured, about."""


def token_grid(tokens: int) -> tuple[int, ...]:
    """Returns the numbers of tokens that plans may have: all, and multiples of 8 (or 16, 24 …) down to a quarter.

    Args:
        tokens: Of the dense model, prefix tokens included.

    Returns:
        At most 1 + 24, rising; the multiples are of the smallest step that gives no more.
    """
    step = 8
    while tokens * 3 // 4 // step > MOST_COUNTS:
        step += 8
    return (*(count for count in range(step, tokens, step) if 4 * count >= tokens), tokens)


def first_counts(grid: Sequence[int]) -> tuple[int, ...]:
    """Returns the counts that are timed at first.

    The distance between them is an odd number of places, so that they lie at different places of a kernel's tiles, whose
    sizes are powers of 2.

    Args:
        grid: See :func:`token_grid`.

    Returns:
        The last of the grid is among them; rising.
    """
    multiples = len(grid) - 1
    stride = (multiples + _FIRST_COUNTS // 2) // _FIRST_COUNTS // 2 * 2 + 1
    return (*grid[:multiples:stride], grid[-1])


def site_counts(counts: Sequence[int], prefix: int) -> tuple[int, int] | None:
    """Returns the tokens that enter and leave the site whose cost is measured, both of them counts that are timed.

    Args:
        counts: That are timed, rising.
        prefix: Tokens among them that are no patches.

    Returns:
        The pair that is nearest to 70 % of the tokens, of which 70 % are kept; None where there is none of which at
        least half of the patches are kept, the most that some methods can.
    """
    dense = counts[-1]
    pairs = [
        (before, after)
        for after, before in itertools.combinations(counts, 2)
        if after > prefix and 2 * (after - prefix) >= before - prefix
    ]
    return min(pairs, key=lambda pair: abs(pair[1] / pair[0] - _KEPT) + abs(pair[0] / dense - _KEPT), default=None)


def estimated(curve: BlockCurve, grid: Sequence[int]) -> BlockCurve:
    """Returns a curve that also tells the time of the counts that were not measured.

    They lie on a parabola, or on one with steps where kernels work in tiles, whichever fits what was measured, and on
    straight lines where neither does.

    Args:
        curve: With what was measured, which stays as it is.
        grid: See :func:`token_grid`.
    """
    fit = _fit(curve.blocks)
    measured = {point.tokens: point.ms for point in curve.blocks}

    def model(tokens: int) -> float:
        return fit.ms(tokens) if fit else 0.0

    left = [(tokens, ms - model(tokens)) for tokens, ms in sorted(measured.items())]
    points = (
        BlockPoint(tokens, measured.get(tokens, model(tokens) + interpolate(left, tokens)))
        for tokens in sorted({*grid, *measured})
    )
    return BlockCurve(tuple(points), curve.sites)


def counts_at_steps(points: Sequence[BlockPoint], grid: Sequence[int]) -> tuple[int, ...]:
    """Returns the counts to time next, to find where a step is that no curve explains; none where there is no such step.

    Args:
        points: What was measured, by rising tokens.
        grid: See :func:`token_grid`.

    Returns:
        The middle of each pair of neighbours that differ far more than their distance tells.
    """
    if _fit(points) is not None:
        return ()
    pairs = list(itertools.pairwise(points))
    if not pairs:
        return ()
    slope = statistics.median_low([(right.ms - left.ms) / (right.tokens - left.tokens) for left, right in pairs])
    found = []
    for left, right in pairs:
        between = [tokens for tokens in grid if left.tokens < tokens < right.tokens]
        jump = abs(right.ms - left.ms - slope * (right.tokens - left.tokens))
        if between and jump > _JUMP * right.ms:
            found.append(between[len(between) // 2])
    return tuple(found)


class _Fit:
    """Parabola of the tokens, rounded up to whole tiles, with the least relative error."""

    def __init__(self, points: Sequence[BlockPoint], tile: int) -> None:
        self._tile = tile
        tokens, ms = np.array([(self._rounded(point.tokens), point.ms) for point in points], float).T
        columns = np.stack([np.ones_like(tokens), tokens, tokens**2], axis=1) / ms[:, None]
        self._factors = np.linalg.lstsq(columns, np.ones_like(ms), rcond=None)[0]
        self.error = float(np.abs(columns @ self._factors - 1).max())
        """Largest share by which it differs from a point."""

    def ms(self, tokens: int) -> float:
        rounded = self._rounded(tokens)
        return float(self._factors @ (1.0, rounded, rounded**2))

    def _rounded(self, tokens: int) -> int:
        return -(-tokens // self._tile) * self._tile


def _fit(points: Sequence[BlockPoint]) -> _Fit | None:
    """What explains the points: a smooth curve, else one with steps; None if neither does or the points are too few."""
    if len(points) < 5:  # one fits any three
        return None
    smooth = _Fit(points, 1)
    tiled = min((_Fit(points, tile) for tile in _TILES), key=lambda fit: fit.error)
    if tiled.error <= _TILED and _NEARER * max(tiled.error, _NOISE) <= smooth.error:
        return tiled
    return smooth if smooth.error <= _SMOOTH else None
