"""The cost model: positive costs per feature that shrink from one configuration to those like it.

    log t = log sum_k x_k exp(w_k + sum_levels d[group of the level, k])

Each measurement belongs to one group of every level (its unit, its runtime and precision, its architecture, its device,
…). ``d`` of a group is one number for all features, one per family of features, or one per feature; a ridge penalty
keeps it at zero where a group has little evidence, so that it falls back on the levels above. The loss is a pseudo-Huber
loss of the error of ``log t``, minimized by L-BFGS with its exact gradient.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack

from edgevit.devices.fitted import Array, Fitted


@dataclass(frozen=True)
class Level:
    """One level of the hierarchy, and how strongly its groups shrink towards the levels above."""

    name: str
    detail: Literal["family", "feature"]
    scale_penalty: float
    """Of the number that all features of a group share."""
    detail_penalty: float
    """Of the numbers per family or per feature."""


@dataclass(frozen=True)
class Problem:
    """Measurements to fit.

    ``x`` are features [rows, features] ≥ 0, ``log_t`` the logarithms of latencies in ms [rows], ``groups`` the group of
    each row by level.
    """

    x: Array
    log_t: Array
    groups: Mapping[str, Sequence[Hashable]]


def fit(
    problem: Problem,
    levels: Sequence[Level],
    families: Sequence[int],
    *,
    huber: float = 0.15,
    iterations: int = 250,
) -> Fitted:
    """Fits the coefficients.

    Args:
        problem: Measurements.
        levels: Of the hierarchy.
        families: Family of each feature [features], from 0.
        huber: Error of ``log t`` beyond which the loss grows linearly.
        iterations: Most of L-BFGS.

    Returns:
        The coefficients.
    """
    return _Fit(problem, levels, np.asarray(families), huber).run(iterations)


_BASE_PENALTY = 1.0
_FIRST_ITERATIONS = 15


class _Fit:
    """The loss and its gradient, in numbers that are scaled to have curvatures of about one."""

    def __init__(self, problem: Problem, levels: Sequence[Level], families: NDArray[np.int64], huber: float) -> None:
        self._log_t, self._huber = problem.log_t, huber
        count = problem.x.shape[1]
        typical = [np.median(column[column > 0]) if (column > 0).any() else 1.0 for column in problem.x.T]
        self._unit = np.maximum(np.array(typical), 1e-9)
        self._x = problem.x / self._unit
        self._center = float(np.median(problem.log_t)) - np.log(count) - 0.5
        self._index: list[tuple[str, Hashable]] = []
        """Level and group of each row of the offsets."""
        self._blocks: list[_Block] = []
        keyed = list(zip(*(problem.groups[level.name] for level in levels), strict=True)) or [()] * len(self._x)
        combinations = {key: number for number, key in enumerate(dict.fromkeys(keyed))}
        self._combination = np.array([combinations[key] for key in keyed])
        """Of groups of all levels, of each row: rows that share it have the same costs."""
        self._rows_of = _membership(self._combination, len(combinations)).T.tocsr()
        member: list[csr_matrix] = []
        for at, level in enumerate(levels):
            detail = np.eye(count) if level.detail == "feature" else np.eye(families.max() + 1)[:, families]
            keys = {group: number for number, group in enumerate(dict.fromkeys(key[at] for key in combinations))}
            member.append(_membership(np.array([keys[key[at]] for key in combinations]), len(keys)))
            self._index.extend((level.name, group) for group in keys)
            penalty = np.array([level.scale_penalty, *[level.detail_penalty] * len(detail)])
            self._blocks.append(_Block(len(keys), np.vstack([np.ones(count), detail]), penalty))
        self._member = hstack(member, format="csr")
        self._member_t = self._member.T.tocsr()
        self._sizes = [count, *(block.groups * len(block.basis) for block in self._blocks)]
        self._scale = np.ones(sum(self._sizes))

    def run(self, iterations: int) -> Fitted:
        start = np.zeros(sum(self._sizes))
        start[: self._sizes[0]] = self._center
        first = self._minimize(start, _FIRST_ITERATIONS)
        self._scale = 1 / np.sqrt(self._curvature(first))
        z = self._minimize(first / self._scale, iterations) * self._scale
        base, offsets = self._unpack(z)
        found: dict[str, dict[Hashable, Array]] = {}
        for (level, group), offset in zip(self._index, offsets, strict=True):
            found.setdefault(level, {})[group] = offset
        return Fitted(self._unit, base, found)

    def _minimize(self, z: Array, iterations: int) -> Array:
        options = {"maxiter": iterations, "maxcor": 20, "ftol": 1e-6}
        self.result = minimize(self._loss, z, jac=True, method="L-BFGS-B", options=options)
        return np.asarray(self.result.x)

    def _unpack(self, z: Array) -> tuple[Array, Array]:
        """Returns ``base`` [features] and the offsets of all groups [groups, features]."""
        base, *parts = np.split(z, np.cumsum(self._sizes)[:-1])
        blocks = zip(self._blocks, parts, strict=True)
        return base, np.vstack([part.reshape(block.groups, -1) @ block.basis for block, part in blocks])

    def _costs(self, z: Array) -> tuple[Array, Array]:
        """Returns the cost of each feature by combination of groups [combinations, features], and ``base``."""
        base, offsets = self._unpack(z)
        return np.exp(np.clip(base + self._member @ offsets, -30, 30)), base

    def _loss(self, scaled: Array) -> tuple[float, Array]:
        z = scaled * self._scale
        costs, base = self._costs(z)
        total = np.einsum("rf,rf->r", self._x, costs[self._combination]) + 1e-12
        error = np.log(total) - self._log_t
        root = np.sqrt(1 + (error / self._huber) ** 2)
        slope = costs * (self._rows_of @ ((error / root / total)[:, None] * self._x))
        by_group = self._member_t @ slope
        loss = self._huber**2 * (root - 1).sum() + _BASE_PENALTY * ((base - self._center) ** 2).sum()
        gradient = [slope.sum(axis=0) + 2 * _BASE_PENALTY * (base - self._center)]
        at, row = self._sizes[0], 0
        for block, size in zip(self._blocks, self._sizes[1:], strict=True):
            part = z[at : at + size].reshape(block.groups, -1)
            loss += (block.penalty * part**2).sum()
            found = by_group[row : row + block.groups] @ block.basis.T + 2 * block.penalty * part
            gradient.append(found.ravel())
            at, row = at + size, row + block.groups
        return float(loss), np.concatenate(gradient) * self._scale

    def _curvature(self, z: Array) -> Array:
        """Returns the diagonal of the Gauss-Newton Hessian."""
        costs, _ = self._costs(z)
        terms = self._x * costs[self._combination]
        share = terms / terms.sum(axis=1, keepdims=True)
        found = [(share**2).sum(axis=0) + 2 * _BASE_PENALTY]
        row = 0
        for block in self._blocks:
            member = self._member_t[row : row + block.groups]
            squares = self._rows_of @ (share @ block.basis.T) ** 2
            found.append((member @ squares + 2 * block.penalty).ravel())
            row += block.groups
        return np.concatenate(found)


def _membership(column: NDArray[np.int64], columns: int) -> csr_matrix:
    """Returns a matrix [rows, columns] with a one in the column of each row."""
    rows = np.arange(len(column))
    return csr_matrix((np.ones(len(column)), (rows, column)), shape=(len(column), columns))


@dataclass(frozen=True)
class _Block:
    """One level: its number of groups, and what each of the numbers of a group adds to the features."""

    groups: int
    basis: Array
    """[numbers of a group, features]."""
    penalty: Array
    """[numbers of a group]."""
