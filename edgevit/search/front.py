"""Fronts and their hypervolume, of values that are to be small."""

from __future__ import annotations

import itertools

import numpy as np


def front_places(values: np.ndarray) -> tuple[int, ...]:
    """Returns the places of the points that no other is as good as in all objectives and better in one.

    Of equal points the first one counts. They are sorted by the first objective.

    Args:
        values: float [points, objectives], the smaller the better.
    """
    kept: list[int] = []
    for place in np.lexsort(np.column_stack([np.arange(len(values)), values[:, ::-1]]).T):
        others = values[kept]
        if not len(others) or not (others <= values[place]).all(axis=1).any():
            kept.append(int(place))
    return tuple(kept)


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """Returns the volume that points dominate up to a reference point (Zitzler and Thiele, 1998).

    Args:
        values: float [points, objectives], 1 to 3 objectives, the smaller the better; what is beyond the reference point adds
            nothing.
        reference: float [objectives].
    """
    inside = values[(values < reference).all(axis=1)] if len(values) else values
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return float(reference[0] - inside.min())
    ordered = inside[np.argsort(inside[:, -1], kind="stable")]
    ends = np.append(ordered[1:, -1], reference[-1])
    return sum(
        float(end - begin) * hypervolume(ordered[: place + 1, :-1], reference[:-1])
        for place, (begin, end) in enumerate(zip(ordered[:, -1], ends, strict=True))
        if end > begin
    )


def gains(candidates: np.ndarray, front: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns by how much each candidate alone would enlarge the hypervolume of a front, float [candidates].

    Args:
        candidates: float [candidates, objectives], the smaller the better.
        front: float [points, objectives].
        reference: See :func:`hypervolume`.
    """
    clipped = np.minimum(candidates, reference)
    inside = front[(front < reference).all(axis=1)] if len(front) else front.reshape(0, len(reference))
    return _gains(clipped, inside, reference)


def _gains(candidates: np.ndarray, front: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Sweeps the last objective: between two points of the front, what counts are those before it in the other objectives."""
    if len(reference) == 1:
        best = min(front[:, 0].min(initial=np.inf), reference[0])
        return np.asarray(np.maximum(0.0, best - candidates[:, 0]))
    ordered = front[np.argsort(front[:, -1], kind="stable")]
    edges = np.concatenate([[-np.inf], ordered[:, -1], reference[-1:]])
    found = np.zeros(len(candidates))
    for place, (begin, end) in enumerate(itertools.pairwise(edges)):
        if end <= begin:
            continue
        depth = np.maximum(0.0, end - np.maximum(begin, candidates[:, -1]))
        if depth.any():
            found += depth * _gains(candidates[:, :-1], ordered[:place, :-1], reference[:-1])
    return found
