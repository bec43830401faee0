"""What sites do together, beside the sum of what each does alone.

Sites in neighboring blocks do more together than their sum, sites far apart less, by up to half. Plans of some sets of blocks
are carried out, those first that seem fastest for what a limit allows; plans in the other blocks are taken to differ from
their sum as those in the most similar blocks do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edgevit.pipeline.token_search.search import PlannedPlan, fastest_first
from edgevit.spec.token_plan import TokenPlan

_MOST_MEASURED = 24
"""Sets of blocks that are measured at most."""
_LEADING = 8
"""Of the sets of blocks that seem fastest, so many are measured."""
_HOPED = 0.6
"""Ratio to the sum that is hoped for where nothing was measured, so that it is: about the least there is."""
_LEAST_NATS = 1e-4
"""Of a plan whose ratio to its sum tells something."""

Blocks = tuple[str, ...]
"""Method and blocks of a plan's sites."""


class CombinedDivergence:
    """Ratios of measured to summed divergences, by the blocks of the sites."""

    def __init__(self, measure: Callable[[TokenPlan], float], nats: float, has_time: Callable[[], bool]) -> None:
        """Begins with nothing measured.

        Args:
            measure: Carries out a plan, and returns its divergence as that of single sites is measured, in nats.
            nats: About what a plan may diverge by.
            has_time: After it says no, nothing is measured.
        """
        self._measure, self._nats, self._has_time = measure, nats, has_time
        self._factors: dict[Blocks, float] = {}

    def correct(self, plans: Sequence[PlannedPlan]) -> list[PlannedPlan]:
        """Returns plans with the divergence of their sites together, the fastest first.

        Args:
            plans: As :func:`edgevit.pipeline.token_search.search.faster_plans` returns them, with summed divergences.
        """
        if not plans:
            return []
        sets = list(dict.fromkeys(map(_blocks_of, plans)))
        places = {blocks: place for place, blocks in enumerate(sets)}
        of_set = np.array([places[_blocks_of(planned)] for planned in plans], dtype=np.int64)
        summed = np.array([planned.divergence for planned in plans])
        ms = np.array([planned.predicted_ms for planned in plans])
        several = np.array([_has_several_sites(p) for p in plans], dtype=bool) & (summed >= _LEAST_NATS)
        while len(self._factors) < _MOST_MEASURED and self._has_time():
            hoped = np.array([self._factors.get(blocks, _HOPED) for blocks in sets])
            allowed = several & (summed * hoped[of_set] <= self._nats)
            fastest = np.full(len(sets), np.inf)
            np.minimum.at(fastest, of_set[allowed], ms[allowed])
            leading = [at for at in np.argsort(fastest, kind="stable")[:_LEADING] if np.isfinite(fastest[at])]
            at = next((at for at in leading if sets[at] not in self._factors), None)
            if at is None:
                break
            chosen = int(np.flatnonzero(allowed & (of_set == at) & (ms == fastest[at]))[0])
            plan = plans[chosen].plan
            assert isinstance(plan, TokenPlan)
            self._factors[sets[at]] = self._measure(plan) / summed[chosen]
        factors = np.array([self._factor(blocks) for blocks in sets], dtype=np.float64)
        found = [replace(p, divergence=float(nats)) for p, nats in zip(plans, summed * factors[of_set], strict=True)]
        return sorted(found, key=fastest_first)

    def _factor(self, blocks: Blocks) -> float:
        """Of the most similar blocks that were measured: as many of them by the same method; 1 where none were."""
        if not blocks or blocks in self._factors:
            return self._factors.get(blocks, 1.0)
        alike = [known for known in self._factors if known[0] == blocks[0] and len(known) == len(blocks)]
        nearest = min(alike, key=lambda known: _distance(known, blocks), default=None)
        return self._factors[nearest] if nearest else 1.0


def _has_several_sites(planned: PlannedPlan) -> bool:
    """Whether what a plan does to images as they are tells more than its sum."""
    return bool(_blocks_of(planned)) and isinstance(planned.plan, TokenPlan) and planned.plan.resized is None


def _blocks_of(planned: PlannedPlan) -> Blocks:
    """Returns () for a plan without several sites: one alone is its own sum."""
    plan = planned.plan
    blocks = planned.shape[1:] if isinstance(plan, TokenPlan) else ()
    return blocks if len(blocks) > 2 else ()


def _distance(first: Blocks, second: Blocks) -> int:
    """Of the gaps between sites, then of the sites."""
    a, b = ([int(block) for block in blocks[1:]] for blocks in (first, second))
    gaps = sum(abs((y - x) - (v - u)) for x, y, u, v in zip(a, a[1:], b, b[1:], strict=False))
    return 4 * gaps + sum(abs(x - u) for x, u in zip(a, b, strict=True))
