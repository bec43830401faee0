"""Chooses one option for each layer, so that the sum of costs is least within limits: a multiple-choice knapsack."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_SECONDS = 10.0
"""After which the best solution so far is taken; 200 layers with four options take half a second."""


@dataclass(frozen=True)
class Option:
    """One way to carry out a layer."""

    divergence: float
    """In nats, on its own."""
    ms: float
    bytes: float = 0.0


@dataclass(frozen=True)
class Selection:
    """One option for each layer."""

    chosen: tuple[int, ...]
    """Places of the options."""
    divergence: float
    """Sums over the layers."""
    ms: float
    bytes: float


def select(
    layers: Sequence[Sequence[Option]],
    most_ms: float,
    most_bytes: float = np.inf,
    forbidden: Sequence[tuple[int, ...]] = (),
) -> Selection | None:
    """Returns the options with the least sum of divergences whose milliseconds and bytes keep their limits.

    Args:
        layers: Options of each layer, at least one.
        most_ms: Largest sum of milliseconds.
        most_bytes: Largest sum of bytes.
        forbidden: Choices that are not to be returned, for another solution of the same limits.

    Returns:
        None where no choice keeps the limits.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, vstack

    options = [option for layer in layers for option in layer]
    if not options:
        return None
    begins = np.cumsum([0, *(len(layer) for layer in layers)])
    columns = np.arange(len(options))
    rows = np.repeat(np.arange(len(layers)), np.diff(begins))
    one_each = csr_array((np.ones(len(options)), (rows, columns)), shape=(len(layers), len(options)))
    parts, low, high = [one_each], [np.ones(len(layers))], [np.ones(len(layers))]
    for amounts, most in (
        (np.array([option.ms for option in options]), most_ms),
        (np.array([option.bytes for option in options]), most_bytes),
    ):
        scale = max(np.abs(amounts).max(), 1e-12)  # HiGHS allows 1e-6 of a constraint
        if np.isfinite(most):
            parts.append(csr_array(amounts[None] / scale))
            low.append(np.array([-np.inf]))
            high.append(np.array([most / scale]))
    for chosen in forbidden:
        taken = np.zeros((1, len(options)))
        taken[0, begins[:-1] + np.array(chosen)] = 1
        parts.append(csr_array(taken))
        low.append(np.array([-np.inf]))
        high.append(np.array([len(layers) - 1.0]))
    costs = np.array([option.divergence for option in options])
    found = milp(
        costs / max(np.abs(costs).max(), 1e-12),
        integrality=np.ones(len(options)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(vstack(parts), np.concatenate(low), np.concatenate(high)),
        options={"time_limit": _SECONDS, "mip_rel_gap": 0.0},
    )
    if found.x is None:
        return None
    places = tuple(int(np.argmax(found.x[begin:end])) for begin, end in itertools.pairwise(begins))
    return _sum(layers, places)


def choose_levels(layers: Sequence[Sequence[Option]], shares: Sequence[float]) -> tuple[Selection, ...]:
    """Returns the most exact choice for each of several limits of time.

    Args:
        layers: See :func:`select`.
        shares: Limits, each as a share of what lies between the fastest choice and the most exact one, 0..1.

    Returns:
        Distinct choices in the order of their limits.
    """
    fastest = sum(min(option.ms for option in layer) for layer in layers)
    slowest = sum(min(layer, key=lambda option: (option.divergence, option.ms)).ms for layer in layers)
    found: dict[tuple[int, ...], Selection] = {}
    for share in shares:
        selection = select(layers, fastest + share * (slowest - fastest))
        if selection:
            found.setdefault(selection.chosen, selection)
    return tuple(found.values())


def _sum(layers: Sequence[Sequence[Option]], places: tuple[int, ...]) -> Selection:
    taken = [layer[place] for layer, place in zip(layers, places, strict=True)]
    return Selection(
        places,
        sum(option.divergence for option in taken),
        sum(option.ms for option in taken),
        sum(option.bytes for option in taken),
    )
