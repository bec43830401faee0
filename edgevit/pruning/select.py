"""Which units leave: the order of each group by elimination, and how many of each by what single changes do."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgevit.pruning.gram import Moments
from edgevit.pruning.refit import Reader, damped

_LEAST_SHARE = 0.5
"""Of the units of a group that always stays: what is expected of removing more is too far from what was measured."""


@dataclass(frozen=True)
class Elimination:
    """In which order units of a group leave."""

    order: tuple[int, ...]
    """The first to leave first."""
    errors: np.ndarray
    """float64 [removed + 1]: mean squared error of the reader's outputs, all others refitted, by how many have left; from 0, rising."""

    def kept(self, units: int, removed: int) -> list[int]:
        """Returns the units that stay when some have left, ascending."""
        gone = set(self.order[:removed])
        return [unit for unit in range(units) if unit not in gone]


def eliminate(reader: Reader, moments: Moments, most: int) -> Elimination:
    """Removes units one by one: always the one whose removal, with all others refitted, adds least error.

    The optimal brain surgeon (Hassibi and Stork, 1992) on the Gram matrix of a linear layer's inputs, of which each is a unit.

    Args:
        reader: The layer.
        moments: Of its inputs.
        most: How many leave at most; fewer than there are.
    """
    inverse, weight = np.linalg.inv(damped(moments)), reader.weight.copy()
    alive = np.ones(weight.shape[1], bool)
    order, errors = [], [0.0]
    for _ in range(most):
        diagonal = np.where(alive, inverse.diagonal(), 1.0)
        costs = np.where(alive, (weight**2).sum(axis=0) / diagonal, np.inf)
        unit = int(costs.argmin())
        weight -= np.outer(weight[:, unit] / diagonal[unit], inverse[unit])
        inverse -= np.outer(inverse[:, unit] / diagonal[unit], inverse[unit])
        weight[:, unit] = inverse[unit] = inverse[:, unit] = 0
        alive[unit] = False
        order.append(unit)
        errors.append(errors[-1] + float(costs[unit]))
    return Elimination(tuple(order), np.array(errors))


def removals(units: int, step: int) -> tuple[int, ...]:
    """Returns how many units can leave so that a multiple of a step stays, from 0 to half of them.

    Args:
        units: That there are.
        step: Of the width: what a runtime computes at once.
    """
    least = max(step, int(np.ceil(_LEAST_SHARE * units / step)) * step)
    return (0, *(units - width for width in range((units - 1) // step * step, least - 1, -step)))


@dataclass(frozen=True)
class Choices:
    """What removing units of one group costs and saves."""

    removals: tuple[int, ...]
    """Ascending, from 0."""
    divergences: np.ndarray
    """float64, of each of ``removals``: KL from the dense model in nats, from 0."""
    unit_cost: float
    """MACs of a unit."""


def single_divergences(removed: tuple[int, ...], errors: np.ndarray, at: int, nats: float) -> np.ndarray:
    """Returns about what removing units does, from what was measured of one removal: it grows as the reader's error does.

    Args:
        removed: How many leave.
        errors: float64 [removed + 1], see :class:`Elimination`.
        at: How many had left when it was measured.
        nats: What was measured.

    Returns:
        KL divergence in nats for each of ``removed``, float64 [len(removed)].
    """
    measured = float(errors[at])
    shares = errors[list(removed)] / measured if measured > 0 else np.zeros(len(removed))
    return np.asarray(shares * max(nats, 0.0))


def allocate(groups: Mapping[str, Choices], target: float) -> dict[str, int]:
    """Returns how many units leave each group, so that they save what is asked with the least sum of divergences.

    Greedy: always the step that adds least for what it saves, which is optimal where each step of a group adds more than the
    one before.

    Args:
        groups: By name.
        target: MACs to save, in all.

    Returns:
        Units that leave, by name: at least half a step's worth beyond or short of the target, unless nothing more can leave.
    """
    chosen = dict.fromkeys(groups, 0)  # places in their removals
    waiting = [entry for name in groups if (entry := _next(groups[name], name, 0))]
    heapq.heapify(waiting)
    saved = 0.0
    while waiting:
        _, name, macs = heapq.heappop(waiting)
        if saved + macs / 2 > target:
            continue
        saved += macs
        chosen[name] += 1
        following = _next(groups[name], name, chosen[name])
        if following:
            heapq.heappush(waiting, following)
    return {name: groups[name].removals[place] for name, place in chosen.items()}


def _next(choices: Choices, name: str, place: int) -> tuple[float, str, float] | None:
    """The next step of a group: nats by MACs, its name, and the MACs."""
    if place + 1 >= len(choices.removals):
        return None
    macs = choices.unit_cost * (choices.removals[place + 1] - choices.removals[place])
    nats = float(choices.divergences[place + 1] - choices.divergences[place])
    return nats / macs, name, macs
