"""What the fit leaves unexplained of graphs that are like one another, on units that are like one another.

The errors that the fit leaves are taken as a Gaussian process, one for each unit, runtime family and precision: those of
two measurements covary the more the more alike the features of their graphs are, and the more of runtime, architecture
and device they share. A graph that was measured on a sister device so tells of itself, by its features and not by its
name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgevit.devices.features import FEATURES
from edgevit.devices.fitted import Array

LEVELS: Mapping[str, float] = {"kernels": 0.05, "runtime": 0.05, "kernels architecture": 0.02, "kernels device": 0.02}
"""Variance of the errors of ``log t`` that measurements of like graphs share in a group of each level. The first level is
that of the processes: groups of the others are parts of its groups."""

_PROCESS = "kernels"
_NOISE = 0.02
"""Variance of the errors that measurements do not share."""
_LARGEST = 1.0
"""Errors of ``log t`` beyond this count as this."""
_DISTANCE = 2.0
"""Of places over which likeness falls."""
_SIZE_SCALE = 2.0
_SHAPE_SCALE = 6.0
_KINDS = ("macs_", "moved_", "kernels_", "weights_")


@dataclass(frozen=True)
class LikeGraphs:
    """What to add to predictions.

    ``places`` are those of the graphs [graphs, axes]; ``weights`` say for each group of a level how much a graph that is
    quite like one of them is off [graphs].
    """

    places: Array
    weights: Mapping[str, Mapping[Hashable, Array]]

    def correction(self, x: Array, groups: Mapping[str, Hashable]) -> float:
        """Returns what to add to ``log t`` of a graph with features ``x`` [features] in these groups."""
        return float(self.corrections(x[None], {level: [groups[level]] for level in LEVELS})[0])

    def corrections(self, x: Array, groups: Mapping[str, Sequence[Hashable]]) -> Array:
        """Returns what to add to ``log t`` of each row [rows] with features ``x`` [rows, features] in these groups."""
        distinct, graph = np.unique(x, axis=0, return_inverse=True)
        like = alike(places(distinct), self.places)
        found = np.zeros(len(x))
        for level in LEVELS:
            for group, rows in _members(groups[level]).items():
                weights = self.weights.get(level, {}).get(group)
                if weights is not None:
                    found[rows] += like[graph.ravel()[rows]] @ weights
        return found


def places(x: Array) -> Array:
    """Returns where graphs with features ``x`` [graphs, features] are, so that like graphs are near [graphs, axes]."""
    parts = [x[:, [name.startswith(kind) and name != "macs_padded" for name in FEATURES]] for kind in _KINDS]
    sizes = np.stack([np.log(part.sum(axis=1) + 1) for part in parts], axis=1)
    shapes = [np.sqrt(part / (part.sum(axis=1, keepdims=True) + 1e-9)) for part in parts[:3]]
    return np.hstack([_SIZE_SCALE * sizes, *(_SHAPE_SCALE * shape for shape in shapes)])


def alike(first: Array, second: Array) -> Array:
    """Returns how alike graphs at these places are, 0 to 1 [first, second]."""
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2 * first @ second.T
    result: Array = np.exp(-np.maximum(squares, 0) / (2 * _DISTANCE**2))
    return result


def fit_like_graphs(x: Array, errors: Array, groups: Mapping[str, Sequence[Hashable]]) -> LikeGraphs:
    """Conditions the processes on the errors of a fit.

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
    number = {level: _numbers(groups[level]) for level in LEVELS}
    weights: dict[str, dict[Hashable, Array]] = {level: {} for level in LEVELS}
    for rows in _members(groups[_PROCESS]).values():
        shared = sum(
            variance * (number[level][rows][:, None] == number[level][rows]) for level, variance in LEVELS.items()
        )
        covariance = shared * like[np.ix_(graph[rows], graph[rows])]
        covariance.flat[:: len(rows) + 1] += _NOISE
        solved = np.linalg.solve(covariance, left[rows])
        for level, variance in LEVELS.items():
            for row, weight in zip(rows, solved, strict=True):
                of_group = weights[level].setdefault(groups[level][row], np.zeros(len(at)))
                of_group[graph[row]] += variance * weight
    return LikeGraphs(at, weights)


def _members(groups: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        found[group].append(row)
    return found


def _numbers(groups: Sequence[Hashable]) -> NDArray[np.int64]:
    number = {group: position for position, group in enumerate(dict.fromkeys(groups))}
    return np.array([number[group] for group in groups], dtype=np.int64)
