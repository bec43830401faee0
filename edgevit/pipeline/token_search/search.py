"""Searches token plans: those that no other beats, and of these the fastest within the limit of accuracy drop."""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.candidate import within_budget
from edgevit.results.token_search import BlockPoint, SitePoint, TriedPlan
from edgevit.spec.token_plan import Site, TokenPlan

MOST_SITES = 3
_SPACING = 0.01
"""Times that are bisected differ by at least this share."""
_ALTERNATIVES = 4
"""Plans tried after bisection, to be faster still."""
_FAR_BEYOND = 1.5
"""Percentage points beyond the limit after which no other plan that is as fast is tried."""
_GAIN = 0.005
"""An alternative is predicted to be faster by at least this share."""
_NEAR = 0.05
"""Share of time by which a plan that lost too much is about as fast as the best."""
_POINTS_PER_NAT = 25.0
"""What a nat of divergence costs, before any plan was tried; ImageNet models lose about so much."""
_MATTERS = (0.01, 0.1)
"""Nats between which plans lose about as much as limits allow."""
_FAR_LESS = 1.5
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
    """Lists every plan with one to three sites on the steps of the curve that is predicted to beat the dense model.

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
            for kept in itertools.combinations(counts, number):
                before, total_ms, total_divergence = shape.patches, dense_ms, 0.0
                for block, after in zip(blocks, kept, strict=True):
                    if method == "tome" and 2 * after < before:
                        break  # it merges at most half of them
                    ms, nats = added(block, before, after)
                    total_ms, total_divergence, before = total_ms + ms, total_divergence + nats, after
                else:
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

    known: Mapping[TokenPlan, float] = field(default_factory=dict)
    """Drops of plans that were tried in an earlier choice, whose times were a little different; if one of them holds, only
    few others are tried."""
    has_time: Callable[[], bool] = lambda: True
    """After it says no, no plan is tried."""


def choose_plan(
    plans: list[PlannedPlan],
    drop_points: Callable[[TokenPlan], float],
    limit_points: float,
    guide: Guide = Guide(),
) -> Choice:
    """Finds the fastest plan that loses no more than the limit.

    Bisects the times of the front, as if all plans lost more where one that is as fast does. It begins where the drop is
    expected to be the limit, by the divergence and what plans lost so far. Divergence ranks plans roughly and few images
    count roughly, so a time is given up only after several plans of different shapes lost too much there. Then it tries
    faster plans than the best, those with the least divergence first.

    Args:
        plans: As :func:`faster_plans` returns them.
        drop_points: Carries out a plan and returns its accuracy drop in percentage points; slow.
        limit_points: Largest drop allowed, in percentage points.
        guide: Where to begin and when to end.
    """
    trial = _Trial(drop_points, limit_points)
    for planned in plans if guide.known else ():
        if planned.plan in guide.known:
            trial.note(planned, guide.known[planned.plan])
    levels = _spaced(front(plans))
    low, high, halves = 0, len(levels), True
    while low < high and not (guide.known and trial.best) and guide.has_time():
        middle, width = (low + high) // 2, high - low
        if halves:
            middle = min(max(_expected_level(levels, trial), low), high - 1)
        if _any_holds(_plans_to_try(plans, levels[middle].predicted_ms), trial):
            high = middle
        else:
            low = middle + 1
        halves = not halves or 2 * (high - low) <= width
    for _ in range(_ALTERNATIVES if trial.best else 0):
        alternative = _alternative(plans, trial)
        if alternative is None or not guide.has_time():
            break
        trial.drop_points(alternative)
    return Choice(trial.best, tuple(trial.tried))


def _expected_level(levels: list[PlannedPlan], trial: _Trial) -> int:
    """Place of the fastest level that is expected to hold, by its divergence and what plans lost so far."""
    per_nat = statistics.median(
        [
            _POINTS_PER_NAT,
            *(max(0.0, tried.drop_points) / tried.divergence for tried in trial.tried if tried.divergence),
        ]
    )
    held = (place for place, planned in enumerate(levels) if per_nat * planned.divergence <= trial.limit_points)
    return next(held, len(levels))


class _Trial:
    """Carries out plans, each once, and notes what they lost."""

    def __init__(self, drop_points: Callable[[TokenPlan], float], limit_points: float) -> None:
        self.tried: list[TriedPlan] = []
        self.best: PlannedPlan | None = None
        """The fastest that holds."""
        self.failed: set[PlannedPlan] = set()
        """Plans that lost too much."""
        self.limit_points = limit_points
        self._carry_out = drop_points
        self._drops: dict[TokenPlan, float] = {}

    def drop_points(self, planned: PlannedPlan) -> float:
        """Accuracy drop of a plan, in percentage points."""
        if planned.plan not in self._drops:
            self.note(planned, self._carry_out(planned.plan))
        return self._drops[planned.plan]

    def note(self, planned: PlannedPlan, drop_points: float) -> None:
        """Takes down what a plan lost."""
        self.tried.append(TriedPlan(str(planned.plan), planned.predicted_ms, planned.divergence, drop_points))
        self._drops[planned.plan] = drop_points
        if not within_budget(drop_points, self.limit_points):
            self.failed.add(planned)
        elif self.best is None or _fastest_first(planned) < _fastest_first(self.best):
            self.best = planned

    def was_tried(self, planned: PlannedPlan) -> bool:
        return planned.plan in self._drops


def _any_holds(plans: list[PlannedPlan], trial: _Trial) -> bool:
    """Whether one of some plans holds; after one that loses far too much, the others are not tried."""
    for planned in plans:
        drop = trial.drop_points(planned)
        if within_budget(drop, trial.limit_points):
            return True
        if drop > trial.limit_points + _FAR_BEYOND:
            return False
    return False


def _plans_to_try(plans: list[PlannedPlan], most_ms: float) -> list[PlannedPlan]:
    """Returns up to three plans that are as fast: the one with the least divergence, that of another method, and that of another shape."""
    fast = plans[: bisect.bisect_right(plans, most_ms, key=lambda planned: planned.predicted_ms)]
    first = min(fast, key=_least_divergence_first)
    by_method = (planned for planned in fast if planned.plan.method != first.plan.method)
    other_method = min(by_method, key=_least_divergence_first, default=first)
    by_shape = (planned for planned in fast if planned.shape not in (first.shape, other_method.shape))
    other_shape = min(by_shape, key=_least_divergence_first, default=first)
    return [first, other_method, other_shape]


def _alternative(plans: list[PlannedPlan], trial: _Trial) -> PlannedPlan | None:
    """The plan with the least divergence that is clearly faster than the best, was not tried, and is of no failed shape.

    A shape has failed for plans that are faster than one of it that lost too much, and for all where that is about as
    fast as the best.
    """
    assert trial.best is not None
    best_ms = trial.best.predicted_ms
    failed_ms: dict[tuple[str, tuple[int, ...]], float] = {}
    for planned in trial.failed:
        up_to = best_ms if planned.predicted_ms >= best_ms * (1 - _NEAR) else planned.predicted_ms
        failed_ms[planned.shape] = max(up_to, failed_ms.get(planned.shape, 0.0))
    faster = plans[: bisect.bisect_left(plans, best_ms * (1 - _GAIN), key=lambda planned: planned.predicted_ms)]
    untried = (
        planned
        for planned in faster
        if planned.predicted_ms > failed_ms.get(planned.shape, 0.0) and not trial.was_tried(planned)
    )
    return min(untried, key=_least_divergence_first, default=None)


def _least_divergence_first(planned: PlannedPlan) -> tuple[float, float]:
    return planned.divergence, planned.predicted_ms


def _spaced(plans: list[PlannedPlan]) -> list[PlannedPlan]:
    """Every plan that is slower than the one before by ``_SPACING``, and the last."""
    kept: list[PlannedPlan] = []
    for planned in plans:
        if not kept or planned.predicted_ms >= kept[-1].predicted_ms * (1 + _SPACING) or planned is plans[-1]:
            kept.append(planned)
    return kept
