"""Where the numbers beside points go, so that they cover each other as little as can be."""

from __future__ import annotations

import math
from collections.abc import Sequence

_WIDTH, _HEIGHT = 560.0, 300.0
"""Of a plot in pixels, about; it is narrower on a phone."""
_CHARACTER, _LINE = 7.0, 13.0
_OFFSETS = tuple(
    (round(radius * math.cos(angle)), round(radius * math.sin(angle)))
    for radius in (14, 20, 30, 42)
    for angle in (-0.8, 0.8, math.pi - 0.8, math.pi + 0.8, 0.0, math.pi, -math.pi / 2, math.pi / 2)
)


def label_offsets(
    points: Sequence[tuple[float, float]], texts: Sequence[str], radii: Sequence[float]
) -> tuple[tuple[int, int], ...]:
    """Returns for each label the offset of its centre from its point, in pixels; right and down are positive.

    Args:
        points: Place of each in its plot: 0..1 from the left, and from the bottom.
        texts: The labels.
        radii: Of the marks, in pixels.
    """
    centres = [(x * _WIDTH, (1 - y) * _HEIGHT) for x, y in points]
    taken = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(centres, radii, strict=True)]
    found = []
    for (x, y), text in zip(centres, texts, strict=True):
        boxes = {offset: _box(x + offset[0], y + offset[1], text) for offset in _OFFSETS}
        best = min(boxes, key=lambda offset: sum(_overlap(boxes[offset], other) for other in taken))
        taken.append(boxes[best])
        found.append(best)
    return tuple(found)


_Box = tuple[float, float, float, float]


def _box(x: float, y: float, text: str) -> _Box:
    half = _CHARACTER * len(text) / 2
    return x - half, y - _LINE / 2, x + half, y + _LINE / 2


def _overlap(first: _Box, second: _Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0.0) * max(height, 0.0)
