"""What the fit leaves unexplained of graphs that are like one another, on units that are like one another.

For each group of a level, the errors of the fit are averaged over graphs, weighted by how alike their features are, and
shrunk towards zero where there are few. A graph that was measured on a sister device so tells of itself, by its
features and not by its name.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgevit.devices.features import FEATURES
from edgevit.devices.fitted import Array

LEVELS = ("kernels", "kernels architecture", "kernels device")
"""Levels in the order in which they are added up, each on what the one before has left."""

_SHRINKAGE = 3.0
"""Errors of zero that are added to those of every graph."""
_LARGEST = 1.0
"""Errors of ``log t`` beyond this count as this."""
_SIZE_SCALE = 2.0
_SHAPE_SCALE = 6.0
_KINDS = ("macs_", "moved_", "kernels_", "weights_")


@dataclass(frozen=True)
class LikeGraphs:
    """Errors that the fit left, by level, group and graph.

    ``places`` are the graphs [graphs, axes]; ``sums`` and ``counts`` hold the errors of each group of a level [graphs].
    """

    places: Array
    sums: Mapping[str, Mapping[Hashable, Array]]
    counts: Mapping[str, Mapping[Hashable, Array]]

    def correction(self, x: Array, groups: Mapping[str, Hashable]) -> float:
        """Returns what to add to ``log t`` of a graph with features ``x`` [features] in these groups."""
        like = alike(places(x[None]), self.places)[0]
        return sum(
            float(sums @ like / (self.counts[level][groups[level]] @ like + _SHRINKAGE))
            for level in LEVELS
            if (sums := self.sums.get(level, {}).get(groups[level])) is not None
        )


def places(x: Array) -> Array:
    """Returns where graphs with features ``x`` [graphs, features] are, so that like graphs are near [graphs, axes]."""
    parts = [x[:, [name.startswith(kind) and name != "macs_padded" for name in FEATURES]] for kind in _KINDS]
    sizes = np.stack([np.log(part.sum(axis=1) + 1) for part in parts], axis=1)
    shapes = [np.sqrt(part / (part.sum(axis=1, keepdims=True) + 1e-9)) for part in parts[:3]]
    return np.hstack([_SIZE_SCALE * sizes, *(_SHAPE_SCALE * shape for shape in shapes)])


def alike(first: Array, second: Array) -> Array:
    """Returns how alike graphs at these places are, 0 to 1 [first, second]."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2 * first @ second.T
    result: Array = np.exp(-np.maximum(squares, 0) / 2)
    return result


def fit_like_graphs(x: Array, errors: Array, groups: Mapping[str, Sequence[Hashable]]) -> LikeGraphs:
    """Averages errors of a fit.

    Args:
        x: Features of the rows for one image [rows, features].
        errors: Measured minus predicted ``log t`` of each row [rows].
        groups: Group of each row by level.
    """
    distinct, graph = np.unique(x, axis=0, return_inverse=True)
    graph = graph.ravel()
    at = places(distinct)
    like = alike(at, at)
    left = np.clip(errors, -_LARGEST, _LARGEST)
    sums: dict[str, dict[Hashable, Array]] = {}
    counts: dict[str, dict[Hashable, Array]] = {}
    for level in LEVELS:
        number = {group: position for position, group in enumerate(dict.fromkeys(groups[level]))}
        row = np.array([number[group] for group in groups[level]])
        total, count = np.zeros((len(number), len(at))), np.zeros((len(number), len(at)))
        np.add.at(total, (row, graph), left)
        np.add.at(count, (row, graph), 1)
        left = left - (total @ like / (count @ like + _SHRINKAGE))[row, graph]
        sums[level] = {group: total[position] for group, position in number.items()}
        counts[level] = {group: count[position] for group, position in number.items()}
    return LikeGraphs(at, sums, counts)
