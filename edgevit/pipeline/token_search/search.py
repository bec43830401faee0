"""Searches token plans: all on the steps of the staircase, and of these a fast one within the limit of accuracy drop."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from edgevit.pipeline.token_search.drop_model import DropModel, Lost
from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.candidate import within_budget
from edgevit.results.token_search import BlockPoint, SitePoint, TriedPlan
from edgevit.spec.token_plan import Site, TokenPlan

MOST_SITES = 3
_LEAST_SAVED = 0.002
"""Share of time that has to be expected to be saved by another plan that is tried."""
_MATTERS = (0.01, 0.1)
"""Nats between which plans lose about as much as limits allow."""
_FAR_LESS = 1.25
"""Factor of divergence by which a method is worse, in the median, if it is not worth trying."""


@dataclass(frozen=True)
class ModelShape:
    """What a plan depends on."""

    patches: int
    prefix: int
    """Class, distillation and register tokens."""
    depth: int

    @property
    def tokens(self) -> int:
        """All tokens that enter the first block."""
        return self.patches + self.prefix

    def site_blocks(self, most: int = 12) -> tuple[int, ...]:
        """Blocks that tokens may leave, at most so many, counted from 1.

        The first block and the last two are left out where there are others: too early to tell what matters, and too
        late to gain.
        """
        blocks = range(2, self.depth - 1) if self.depth > 3 else range(1, self.depth)
        return tuple(blocks[:: -(-len(blocks) // most) or 1])


@dataclass(frozen=True)
class PlannedPlan:
    """A plan and what is predicted for it."""

    plan: TokenPlan
    predicted_ms: float
    divergence: float
    """In nats."""
    shape: tuple[str, tuple[int, ...]]
    """The method and the blocks of the sites."""


@dataclass(frozen=True)
class Choice:
    """What was chosen and all that was tried."""

    chosen: PlannedPlan | None
    tried: tuple[TriedPlan, ...]


def faster_plans(curve: BlockCurve, divergence: SiteDivergence, shape: ModelShape) -> list[PlannedPlan]:
    """Lists the plans with one to three sites on the steps of the curve that are predicted to beat the dense model.

    Of plans with sites in the same blocks, those that another beats in time and divergence are left out.

    Returns:
        The fastest first; of equally fast ones that with less divergence, then that with fewer sites in earlier blocks.
    """
    dense_ms = curve.plan_ms("", (), shape.prefix, shape.depth)
    methods = [method for method in divergence.methods if method in curve.methods]
    found = [
        planned
        for method in methods
        for planned in _plans_of(method, curve, divergence, shape)
        if planned.predicted_ms < dense_ms
    ]
    return sorted(found, key=_fastest_first)


def _fastest_first(planned: PlannedPlan) -> tuple[float, float]:
    return planned.predicted_ms, planned.divergence


def _plans_of(method: str, curve: BlockCurve, divergence: SiteDivergence, shape: ModelShape) -> Iterator[PlannedPlan]:
    dense_ms = curve.plan_ms("", (), shape.prefix, shape.depth)
    counts = [tokens - shape.prefix for tokens in curve.steps()[1:] if tokens > shape.prefix]

    @cache
    def added(block: int, before: int, after: int) -> tuple[float, float]:
        ms = curve.change_ms(method, block, before + shape.prefix, after + shape.prefix, shape.depth)
        return ms, divergence.step(method, block, before / shape.patches, after / shape.patches)

    for number in range(1, MOST_SITES + 1):
        for blocks in itertools.combinations(shape.site_blocks(), number):
            found = []
            for kept in itertools.combinations(counts, number):
                before, total_ms, total_divergence = shape.patches, dense_ms, 0.0
                for block, after in zip(blocks, kept, strict=True):
                    if method == "tome" and 2 * after < before:
                        break  # it merges at most half of them
                    ms, nats = added(block, before, after)
                    total_ms, total_divergence, before = total_ms + ms, total_divergence + nats, after
                else:
                    found.append((total_ms, total_divergence, kept))
            least = math.inf
            for total_ms, total_divergence, kept in sorted(found):
                if total_divergence < least:
                    least = total_divergence
                    sites = tuple(Site(block, tokens) for block, tokens in zip(blocks, kept, strict=True))
                    yield PlannedPlan(TokenPlan(method, sites), total_ms, total_divergence, (method, blocks))


def front(plans: list[PlannedPlan]) -> list[PlannedPlan]:
    """Returns the plans that no other plan beats in both time and divergence.

    Args:
        plans: As :func:`faster_plans` returns them.

    Returns:
        The fastest first, each with less divergence than those before it.
    """
    found: list[PlannedPlan] = []
    for planned in plans:
        if not found or planned.divergence < found[-1].divergence:
            found.append(planned)
    return found


def methods_worth_trying(divergence: SiteDivergence, shape: ModelShape, counts: tuple[int, ...]) -> tuple[str, ...]:
    """Returns the methods to which no other is far superior; sites are taken to cost nothing.

    Args:
        divergence: Of single sites.
        shape: Of the model.
        counts: Numbers of tokens that plans may have, rising, the last that of the dense model.
    """
    some = counts[::-2][::-1]  # tell as much as all
    blocks, methods = tuple(BlockPoint(tokens, float(tokens)) for tokens in some), divergence.methods
    free = tuple(SitePoint(method, counts[-1], 0.0, "") for method in methods)
    plans = faster_plans(BlockCurve(blocks, free), divergence, shape)
    fronts = {method: front([planned for planned in plans if planned.plan.method == method]) for method in methods}
    return tuple(
        method
        for method in methods
        if not any(_does_far_less(fronts[other], fronts[method]) for other in methods if other != method)
    )


def _does_far_less(better: list[PlannedPlan], worse: list[PlannedPlan]) -> bool:
    """Whether the plans of one front do far less than those of another that are as fast, where it matters."""
    factors = []
    for planned in better:
        if _MATTERS[0] <= planned.divergence <= _MATTERS[1]:
            as_fast = [other.divergence for other in worse if other.predicted_ms <= planned.predicted_ms]
            factors.append(min(as_fast, default=math.inf) / planned.divergence)
    return bool(factors) and statistics.median(factors) > _FAR_LESS


@dataclass(frozen=True)
class Guide:
    """What a choice goes by besides plans and their drops."""

    samples: int
    """Images that drops are counted on."""
    most_trials: int = 12
    """Plans that are carried out at most; twice as many where none of them holds."""
    known: Mapping[TokenPlan, float] = field(default_factory=dict)
    """Drops of plans that were carried out before, in percentage points."""
    has_time: Callable[[], bool] = lambda: True
    """After it says no, no plan is carried out."""


def choose_plan(
    plans: list[PlannedPlan], drop_points: Callable[[TokenPlan], float], limit_points: float, guide: Guide
) -> Choice:
    """Finds a plan that is fast and loses no more than the limit.

    Carries out, again and again, the plan of which most time can be expected to be saved: what it saves, times how likely
    it is to hold by all that was tried so far. Ends when little can be expected.

    Args:
        plans: As :func:`faster_plans` returns them.
        drop_points: Carries out a plan and returns its accuracy drop in percentage points; slow.
        limit_points: Largest drop allowed, in percentage points.
        guide: What is known already, and when to end.

    Returns:
        The fastest that holds of all that were tried, and these.
    """
    tried = [
        _Tried(planned, guide.known[planned.plan]) for planned in plans if guide.known and planned.plan in guide.known
    ]
    ranked, best, before = _Ranked(plans), _fastest_that_holds(tried, limit_points), len(tried)
    while plans and len(tried) - before < guide.most_trials * (1 if best else 2):
        model = DropModel(tuple(map(_lost, tried)), guide.samples)
        following = ranked.most_promising(tried, best, model, limit_points)
        if following is None or not guide.has_time():
            break
        tried.append(_Tried(following, drop_points(following.plan)))
        best = _fastest_that_holds(tried, limit_points)
    return Choice(best, tuple(_to_result(each) for each in tried))


@dataclass(frozen=True)
class _Tried:
    """A plan that was carried out."""

    planned: PlannedPlan
    drop_points: float


class _Ranked:
    """Plans to be ranked by what trying them may save."""

    def __init__(self, plans: list[PlannedPlan]) -> None:
        self._plans = plans
        self._ms = np.array([planned.predicted_ms for planned in plans])
        self._divergences = np.array([planned.divergence for planned in plans])
        self._shapes = [planned.shape for planned in plans]

    def most_promising(
        self, tried: list[_Tried], best: PlannedPlan | None, model: DropModel, limit_points: float
    ) -> PlannedPlan | None:
        """Returns the plan of which most time can be expected to be saved; None if it is hardly any, or all were tried."""
        reference_ms = best.predicted_ms if best else self._ms[-1] * (1 + _LEAST_SAVED)
        saved = np.maximum(1 - self._ms / reference_ms, 0.0)
        caution = 1 if best else 1 + len(tried)  # before any plan holds, one that does is worth more than a fast one
        worth = saved * model.chance_to_hold(self._divergences, self._shapes, limit_points) ** caution
        done = {each.planned.plan for each in tried}
        order = (int(place) for place in np.argsort(-worth, kind="stable"))
        place = next((place for place in order if self._plans[place].plan not in done), None)
        if place is None or (best and worth[place] < _LEAST_SAVED):
            return None
        return self._plans[place]


def _fastest_that_holds(tried: list[_Tried], limit_points: float) -> PlannedPlan | None:
    holds = (each.planned for each in tried if within_budget(each.drop_points, limit_points))
    return min(holds, key=_fastest_first, default=None)


def _lost(tried: _Tried) -> Lost:
    return Lost(tried.planned.divergence, tried.planned.shape, tried.drop_points)


def _to_result(tried: _Tried) -> TriedPlan:
    planned = tried.planned
    return TriedPlan(str(planned.plan), planned.predicted_ms, planned.divergence, tried.drop_points)
