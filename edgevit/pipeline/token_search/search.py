"""Searches token plans: all on the steps of the staircase, and of these a fast one within the limit of accuracy drop."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgevit.pipeline.token_search.drop_model import DropModel, Lost
from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.candidate import within_budget
from edgevit.results.token_search import BlockPoint, SitePoint, TriedPlan
from edgevit.spec.token_plan import Plan, ResizePlan, Site, TokenPlan

MOST_SITES = 4
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
class Start:
    """A model before tokens leave it: as it is, or on smaller images."""

    shape: ModelShape
    resized: ResizePlan | None = None
    drop_points: float = 0.0
    """What the smaller image alone loses, in percentage points."""


@dataclass(frozen=True)
class PlannedPlan:
    """A plan and what is predicted for it."""

    plan: Plan
    predicted_ms: float
    divergence: float
    """Of its sites, in nats."""
    shape: tuple[str, ...]
    """Plans with the same have their sites in the same blocks of the same model, and the same method."""
    start_drop_points: float = 0.0
    """See :class:`Start`."""

    @property
    def has_sites(self) -> bool:
        """Whether tokens leave at sites, which a smaller image alone tells nothing about."""
        return isinstance(self.plan, TokenPlan)


@dataclass(frozen=True)
class Choice:
    """What was chosen and all that was tried."""

    chosen: PlannedPlan | None
    tried: tuple[TriedPlan, ...]


def faster_plans(curve: BlockCurve, divergence: SiteDivergence, starts: Sequence[Start]) -> list[PlannedPlan]:
    """Lists plans that are predicted to beat the dense model: smaller images, one to four sites on the steps, or both.

    Of plans with sites in the same blocks, those that another beats in time and divergence are left out.

    Args:
        curve: Latencies by the number of tokens; the largest number is that of the dense model.
        divergence: Of single sites of the dense model; by shares of the tokens, a smaller image is taken to do the same.
        starts: What tokens may leave from; the model as it is comes first.

    Returns:
        The fastest first; of equally fast ones that with less divergence, then that with fewer sites in earlier blocks.
    """
    dense_ms = curve.plan_ms("", (), starts[0].shape.prefix, starts[0].shape.depth)
    methods = [method for method in divergence.methods if method in curve.methods]
    found = [
        planned
        for start in starts
        for planned in (
            *_without_sites(curve, start),
            *itertools.chain.from_iterable(_plans_of(method, curve, divergence, start) for method in methods),
        )
        if planned.predicted_ms < dense_ms
    ]
    return sorted(found, key=_fastest_first)


def _fastest_first(planned: PlannedPlan) -> tuple[float, float]:
    return planned.predicted_ms, planned.divergence


def _without_sites(curve: BlockCurve, start: Start) -> Iterator[PlannedPlan]:
    if start.resized:
        shape = start.shape
        start_ms = curve.plan_ms("", (), shape.prefix, shape.depth, shape.tokens)
        yield PlannedPlan(start.resized, start_ms, 0.0, (str(start.resized),), start.drop_points)


def _plans_of(method: str, curve: BlockCurve, divergence: SiteDivergence, start: Start) -> Iterator[PlannedPlan]:
    shape = start.shape
    start_ms = curve.plan_ms("", (), shape.prefix, shape.depth, shape.tokens)
    counts = [tokens - shape.prefix for tokens in curve.steps() if shape.prefix < tokens < shape.tokens]
    added = {block: _added(method, block, counts, curve, divergence, shape) for block in shape.site_blocks()}
    for number in range(1, min(MOST_SITES, len(counts)) + 1):
        stay = np.array(list(itertools.combinations(range(len(counts)), number)))
        enter = np.hstack([np.zeros((len(stay), 1), dtype=int), stay[:, :-1] + 1])
        for blocks in itertools.combinations(shape.site_blocks(), number):
            total = np.tile([start_ms, 0.0], (len(stay), 1))
            for place, block in enumerate(blocks):
                total += added[block][enter[:, place], stay[:, place]]
            same = (str(start.resized or ""), method, *map(str, blocks))
            for at in _unbeaten(total):
                sites = tuple(Site(block, counts[kept]) for block, kept in zip(blocks, stay[at], strict=True))
                plan, (ms, nats) = TokenPlan(method, sites, resized=start.resized), total[at].tolist()
                yield PlannedPlan(plan, ms, nats, same, start.drop_points)


def _added(
    method: str, block: int, counts: Sequence[int], curve: BlockCurve, divergence: SiteDivergence, shape: ModelShape
) -> np.ndarray:
    """What a site adds: milliseconds and nats, float64 [all tokens and counts that enter, counts that stay, 2].

    Infinite where no tokens leave, or more than the method can do without.
    """
    entering, found = (shape.patches, *counts), np.full((len(counts) + 1, len(counts), 2), math.inf)
    for (i, before), (j, after) in itertools.product(enumerate(entering), enumerate(counts)):
        if after < before and (method != "tome" or 2 * after >= before):  # it merges at most half of them
            ms = curve.change_ms(method, block, before + shape.prefix, after + shape.prefix, shape.depth)
            found[i, j] = ms, divergence.step(method, block, before / shape.patches, after / shape.patches)
    return found


def _unbeaten(total: np.ndarray) -> np.ndarray:
    """Places of the plans that no other beats in time and divergence, fastest first.

    Args:
        total: Milliseconds and nats, float64 [plans, 2]; of equal plans the last one counts.
    """
    ms, nats = total.T
    order = np.lexsort((-np.arange(len(total)), nats, ms))
    least = np.minimum.accumulate(np.append(math.inf, nats[order]))
    return np.asarray(order[nats[order] < least[:-1]])


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
    plans = faster_plans(BlockCurve(blocks, free), divergence, (Start(shape),))
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
    known: Mapping[Plan, float] = field(default_factory=dict)
    """Drops of plans that were carried out before, in percentage points."""
    has_time: Callable[[], bool] = lambda: True
    """After it says no, no plan is carried out."""
    point: float = 1.0
    """What one percentage point of the drop model stands for, where drops are in another unit."""


def choose_plan(
    plans: list[PlannedPlan], drop_points: Callable[[Plan], float], limit_points: float, guide: Guide
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
    ranked, best, before = _Ranked(plans, guide.point), _fastest_that_holds(tried, limit_points), len(tried)
    while plans and len(tried) - before < guide.most_trials * (1 if best and best.has_sites else 2):
        model = DropModel(tuple(_lost(each, guide.point) for each in tried if each.planned.has_sites), guide.samples)
        following = ranked.most_promising(tried, best, model, limit_points / guide.point)
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

    def __init__(self, plans: list[PlannedPlan], point: float) -> None:
        self._plans = plans
        self._ms = np.array([planned.predicted_ms for planned in plans])
        self._divergences = np.array([planned.divergence for planned in plans])
        self._shapes = [planned.shape for planned in plans]
        self._start_drops = np.array([planned.start_drop_points for planned in plans]) / point

    def most_promising(
        self, tried: list[_Tried], best: PlannedPlan | None, model: DropModel, limit_points: float
    ) -> PlannedPlan | None:
        """Returns the plan of which most time can be expected to be saved; None if it is hardly any, or all were tried."""
        reference_ms = best.predicted_ms if best else self._ms[-1] * (1 + _LEAST_SAVED)
        saved = np.maximum(1 - self._ms / reference_ms, 0.0)
        chances = model.chance_to_hold(self._divergences, self._shapes, limit_points - self._start_drops)
        # before any plan with sites holds, one that does is worth more than a fast one
        caution = 1 if best and best.has_sites else 1 + len(model.lost)
        done = {each.planned.plan for each in tried}
        order = (int(place) for place in np.argsort(-saved * chances**caution, kind="stable"))
        place = next((place for place in order if self._plans[place].plan not in done), None)
        if place is None or (best and saved[place] * chances[place] < _LEAST_SAVED):
            return None
        return self._plans[place]


def _fastest_that_holds(tried: list[_Tried], limit_points: float) -> PlannedPlan | None:
    holds = (each.planned for each in tried if within_budget(each.drop_points, limit_points))
    return min(holds, key=_fastest_first, default=None)


def _lost(tried: _Tried, point: float) -> Lost:
    """By its sites alone."""
    planned = tried.planned
    return Lost(planned.divergence, planned.shape, (tried.drop_points - planned.start_drop_points) / point)


def _to_result(tried: _Tried) -> TriedPlan:
    planned = tried.planned
    return TriedPlan(str(planned.plan), planned.predicted_ms, planned.divergence, tried.drop_points)
