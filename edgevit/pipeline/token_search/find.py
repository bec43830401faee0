"""Finds the token plan of one backend on one target, in stages of a run: divergence → few block times → plans → trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from edgevit.backends import Backend
from edgevit.devices.device import Device
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.token_search.block_bench import BlockBench
from edgevit.pipeline.token_search.divergence import site_divergences
from edgevit.pipeline.token_search.sampling import counts_at_steps, estimated, first_counts, site_counts, token_grid
from edgevit.pipeline.token_search.search import (
    Guide,
    ModelShape,
    PlannedPlan,
    choose_plan,
    faster_plans,
    methods_worth_trying,
)
from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.pipeline.token_search.trials import BATCH, PlanTrials
from edgevit.pipeline.token_search.tried_plans import PlanDrop
from edgevit.results.candidate import within_budget
from edgevit.results.measurement import HOST
from edgevit.results.token_search import TokenSearch, TriedPlan
from edgevit.run.deadline import Deadline
from edgevit.spec.token_plan import TokenPlan, parse_plan
from edgevit.tokens.reduce import check_reducible

_DIVERGENCE_BLOCKS = 5
_AS_ESTIMATED = 0.03
"""Share by which the measured time of a block may differ from what was estimated before plans are chosen anew."""


@dataclass(frozen=True)
class SearchEffort:
    """How much a search looks at."""

    divergence_images: int = 64
    """At most; a mean over images needs fewer of them than a count of lost ones."""
    trial_images: int = 2000
    """The accuracy drop is counted on at most so many; whatever is chosen is evaluated on all later on."""
    most_trials: int = 12
    """Plans that are carried out at most, before the blocks of the best one are measured; twice as many if none holds."""
    most_later_trials: int = 5
    """The same where a plan is known to hold, from another backend or an earlier choice."""
    most_choices: int = 3
    """Times that plans are chosen, each time with more measured blocks."""
    share_of_minutes: float = 0.4
    """Of those that the run may take: when so much of them has passed, the best plan so far is what was found."""


def find_plan(
    context: RunContext,
    module: nn.Module,
    backend: Backend,
    device: Device | None,
    limit_points: float,
    effort: SearchEffort = SearchEffort(),
) -> TokenSearch:
    """Finds the fastest token plan whose accuracy drop is no larger than the limit.

    Blocks are exported and timed at few numbers of tokens, and at those that the chosen plan has. The drop does not
    depend on the backend: what one search of a run finds out about it, those that follow go on from; all have to be for
    the same module.

    Args:
        context: The run; plans are carried out in PyTorch on its images, which are real.
        module: As it would be exported without token reduction, in eval mode.
        backend: Whose artifacts are to be fast.
        device: Predict block times for it; None to measure them on this host.
        limit_points: Drop of top-1 allowed, or without labels share of images that get another class; in percentage
            points.
        effort: How much to look at.

    Raises:
        UsageError: the model is none that token reduction knows.
        CandidateFailed: blocks could not be exported, or timed on the target.
    """
    check_reducible(module)
    own = Deadline(context.inputs.spec.passes.search_minutes)
    time = _Time(lambda: own.has_time(1.0) and context.deadline.has_time(effort.share_of_minutes))
    shape = _shape(module)
    grid = token_grid(shape.tokens)
    trials = PlanTrials(context, module, _evenly(len(context.inputs.images.ids), effort.trial_images), limit_points)
    divergence = _site_divergence(context, module, shape, trials.less_certain(effort.divergence_images))
    methods = divergence.methods if device else methods_worth_trying(divergence, shape, grid)
    bench = BlockBench(context, module, backend, device)
    counts = first_counts(grid)
    sites = site_counts(counts, shape.prefix)
    curve = bench.measure(
        [
            *map(bench.block, counts),
            *(bench.site(sites, method, form) for method in methods for form in context.inputs.forms if sites),
        ]
    )
    while (more := counts_at_steps(curve.blocks, grid)) and time():
        curve = bench.measure([bench.block(tokens) for tokens in more])
    search = _Search(shape, divergence, trials, effort, time, goes_on_from_others=device is None)
    found = search.choose(_Blocks(bench, curve, grid))
    return TokenSearch(
        backend=backend.name,
        target=device.name if device else HOST,
        source="predicted" if device else "measured",
        dense_ms=found.table.plan_ms("", (), shape.prefix, shape.depth),
        blocks=found.measured.blocks,
        sites=found.measured.sites,
        prefix=shape.prefix,
        steps=found.table.steps(),
        tried=found.tried,
        plan=found.chosen.plan if found.chosen else None,
        predicted_ms=found.chosen.predicted_ms if found.chosen else None,
        limit_points=limit_points,
        samples=len(trials),
        note=_note(found, limit_points, time.was_over),
    )


class _Time:
    """Whether there is time, and whether there was too little."""

    def __init__(self, has_time: Callable[[], bool]) -> None:
        self._has_time = has_time
        self.was_over = False

    def __call__(self) -> bool:
        self.was_over = self.was_over or not self._has_time()
        return not self.was_over


@dataclass(frozen=True)
class _Blocks:
    """Blocks that were measured, and those that can be."""

    bench: BlockBench
    measured: BlockCurve
    grid: tuple[int, ...]

    @property
    def table(self) -> BlockCurve:
        """Of all counts; what was not measured is estimated."""
        return estimated(self.measured, self.grid)


@dataclass(frozen=True)
class _Found:
    """What was chosen, and what it was chosen by."""

    chosen: TriedPlan | None
    tried: tuple[TriedPlan, ...]
    measured: BlockCurve
    table: BlockCurve
    """As ``measured``, with estimates of all other counts."""


@dataclass(frozen=True)
class _Search:
    """What plans are chosen by, besides the times of blocks."""

    shape: ModelShape
    divergence: SiteDivergence
    trials: PlanTrials
    effort: SearchEffort
    has_time: Callable[[], bool]
    goes_on_from_others: bool
    """Whether plans that searches for other backends tried count; what is predicted does not depend on their order."""

    def choose(self, blocks: _Blocks) -> _Found:
        """Chooses a plan, measures its blocks, and chooses anew where they were estimated wrongly."""
        tried: dict[str, TriedPlan] = {}
        known = self.trials.known if self.goes_on_from_others else {}
        plan: TokenPlan | None = None
        for _ in range(self.effort.most_choices):
            table = blocks.table
            plans = faster_plans(table, self.divergence, self.shape)
            choice = choose_plan(plans, self.trials.drop_points, self.trials.limit_points, self._guide(plans, known))
            known |= {each: self.trials.known[each] for each in (parse_plan(one.plan) for one in choice.tried)}
            tried |= {each.plan: replace(each, samples=known[parse_plan(each.plan)].images) for each in choice.tried}
            plan = choice.chosen.plan if choice.chosen else None
            new = sorted(self._tokens(plan) - blocks.measured.counts) if plan else ()
            if not new or not self.has_time():
                break
            blocks = replace(blocks, measured=blocks.bench.measure([blocks.bench.block(tokens) for tokens in new]))
            if _is_as_estimated(blocks.measured, table, new):
                break
        return self._found(blocks, tuple(tried.values()), plan)

    def _guide(self, plans: list[PlannedPlan], known: Mapping[TokenPlan, PlanDrop]) -> Guide:
        """Fewer plans are tried where one is known to hold."""
        drops = {plan: drop.points for plan, drop in known.items()}
        limit = self.trials.limit_points
        one_holds = any(within_budget(drops.get(each.plan, math.inf), limit) for each in plans)
        most = self.effort.most_later_trials if one_holds else self.effort.most_trials
        return Guide(len(self.trials), most, drops, self.has_time)

    def _found(self, blocks: _Blocks, tried: tuple[TriedPlan, ...], plan: TokenPlan | None) -> _Found:
        """Prices what was tried anew; the fastest that holds is chosen, of those whose blocks are known, and ``plan``."""
        table, known = blocks.table, blocks.measured.counts
        priced = tuple(replace(each, predicted_ms=self._plan_ms(parse_plan(each.plan), table)) for each in tried)
        dense_ms = table.plan_ms("", (), self.shape.prefix, self.shape.depth)
        holds = (
            each
            for each in priced
            if within_budget(each.drop_points, self.trials.limit_points)
            and each.predicted_ms < dense_ms
            and (each.plan == str(plan) or self._tokens(parse_plan(each.plan)) <= known)
        )
        chosen = min(holds, key=lambda each: (each.predicted_ms, each.divergence, each.plan), default=None)
        return _Found(chosen, priced, blocks.measured, table)

    def _tokens(self, plan: TokenPlan) -> set[int]:
        """Numbers of tokens of the blocks behind the sites of a plan."""
        return {site.tokens + self.shape.prefix for site in plan.sites(self.shape.patches, self.shape.depth)}

    def _plan_ms(self, plan: TokenPlan, table: BlockCurve) -> float:
        sites = plan.sites(self.shape.patches, self.shape.depth)
        return table.plan_ms(plan.method, sites, self.shape.prefix, self.shape.depth)


def _is_as_estimated(measured: BlockCurve, table: BlockCurve, counts: Sequence[int]) -> bool:
    """Whether blocks are as fast, compared with that of the dense model, as they were estimated to be."""
    drift = measured.block_ms(measured.dense_tokens) / table.block_ms(table.dense_tokens)
    return all(
        abs(measured.block_ms(tokens) / (drift * table.block_ms(tokens)) - 1) <= _AS_ESTIMATED for tokens in counts
    )


def _note(found: _Found, limit_points: float, was_over: bool) -> str:
    if was_over:
        return "the time for the search was over before all plans that seemed worth it were tried"
    if found.chosen:
        return ""
    lost = min((tried.drop_points for tried in found.tried), default=0.0)
    if within_budget(lost, limit_points):
        return "no plan is faster than all tokens: reducing them costs more than it gains"
    return f"every plan tried loses more than {limit_points:g} points, {lost:.1f} at the least"


def _shape(module: nn.Module) -> ModelShape:
    vit: Any = module
    return ModelShape(int(vit.patch_embed.num_patches), int(vit.num_prefix_tokens), len(vit.blocks))


def _site_divergence(
    context: RunContext, module: nn.Module, shape: ModelShape, places: tuple[int, ...]
) -> SiteDivergence:
    stage = "token search: divergence of single sites"
    images = evaluation_images(context.stages, context.inputs, context.inputs.model.preprocessing).select(places)
    total = -(-len(images) // BATCH)

    def make() -> SiteDivergence:
        found = site_divergences(
            module,
            map(torch.from_numpy, images.batches(BATCH)),
            _spread(shape.site_blocks(), _DIVERGENCE_BLOCKS),
            on_batch=lambda done: context.stages.progress.stage(stage, done, total + 1),
        )
        return SiteDivergence(found)

    return context.stages.run(stage, SiteDivergence, make)


def _spread(blocks: tuple[int, ...], most: int) -> tuple[int, ...]:
    """At most so many of them, the first and the last among them."""
    return tuple(blocks[place] for place in _evenly(len(blocks), most))


def _evenly(count: int, most: int) -> tuple[int, ...]:
    """At most ``most`` of the places 0..count-1, the first and the last among them, rising."""
    if count <= most:
        return tuple(range(count))
    return tuple(place * (count - 1) // (most - 1) for place in range(most))
