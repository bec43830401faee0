"""Finds the token plan of one backend on one target, in stages of a run: divergence → few block times → plans → trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from edgevit.backends import Backend
from edgevit.devices.device import Device
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.images import evaluation_images
from edgevit.pipeline.token_search.block_bench import BlockBench
from edgevit.pipeline.token_search.divergence import site_divergences
from edgevit.pipeline.token_search.effort import DEFAULT_EFFORT, SearchEffort, SearchTime, evenly
from edgevit.pipeline.token_search.parts import Parts, parts_of
from edgevit.pipeline.token_search.sampling import counts_at_steps, estimated, first_counts, site_counts, token_grid
from edgevit.pipeline.token_search.search import (
    Guide,
    ModelShape,
    PlannedPlan,
    Start,
    choose_plan,
    faster_plans,
    methods_worth_trying,
)
from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.pipeline.token_search.sizes import held_sizes, plan_of, possible_sizes, try_sizes
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.pipeline.token_search.trials import BATCH, PlanTrials
from edgevit.pipeline.token_search.tried_plans import PlanDrop
from edgevit.results.candidate import within_budget
from edgevit.results.measurement import HOST
from edgevit.results.token_search import TokenSearch, TriedPlan, TriedSize
from edgevit.spec.token_plan import Plan, Site, TokenPlan, parse_any_plan, resizing_of

_DIVERGENCE_BLOCKS = 5
_AS_ESTIMATED = 0.03
"""Share by which the measured time of a block may differ from what was estimated before plans are chosen anew."""


def find_plan(
    context: RunContext,
    module: nn.Module,
    backend: Backend,
    device: Device | None,
    limit_points: float,
    effort: SearchEffort = DEFAULT_EFFORT,
) -> TokenSearch:
    """Finds the fastest token plan whose accuracy drop is no larger than the limit.

    A plan may make images smaller, tokens fewer, or both. Sizes that lose too much alone are left out, then what tokens
    lose on the others is looked at. Blocks are exported and timed at few numbers of tokens, and at those that the chosen plan has. The drop does not
    depend on the backend: what one search of a run finds out about it, those that follow go on from; all have to be for
    the same module.

    Args:
        context: The run; plans are carried out in PyTorch on its images, which are real.
        module: As it would be exported without token reduction, in eval mode.
        backend: Whose artifacts are to be fast.
        device: Predict block times for it; None to measure them on this host.
        limit_points: Drop of top-1 allowed, or without labels share of images that get another class, in percentage
            points; or the drop of the metric of the spec.
        effort: How much to look at.

    Raises:
        UsageError: the model is none that token reduction knows.
        CandidateFailed: blocks could not be exported, or timed on the target.
    """
    time = SearchTime.of(context, effort)
    parts = parts_of(module, context.inputs.model.preprocessing.input_size)
    shape = parts.shape
    grid = token_grid(shape.tokens)
    trials = PlanTrials(context, module, evenly(len(context.inputs.images.ids), effort.trial_images), limit_points)
    possible = possible_sizes(context, module)
    sizes = try_sizes(trials, possible[: effort.most_sizes], time)
    starts = (Start(shape), *(_smaller(trials, size) for size in held_sizes(sizes, limit_points)))
    divergence = _site_divergence(context, parts, trials.less_certain(effort.divergence_images))
    methods = divergence.methods if device else methods_worth_trying(divergence, shape, grid)
    bench = BlockBench(context, parts, backend, device)
    counts = first_counts(grid)
    sites = site_counts(counts, shape.prefix)
    curve = bench.measure(
        [
            *map(bench.block, sorted({*counts, *(start.shape.tokens for start in starts)})),
            *(bench.site(sites, method, form) for method in methods for form in context.inputs.forms if sites),
        ]
    )
    while (more := counts_at_steps(curve.blocks, grid)) and time():
        curve = bench.measure([bench.block(tokens) for tokens in more])
    search = _Search(starts, divergence, trials, effort, time, goes_on_from_others=device is None)
    found = search.choose(_Blocks(bench, curve, grid))
    return TokenSearch(
        backend=backend.name,
        target=device.name if device else HOST,
        source="predicted" if device else "measured",
        dense_ms=search.plan_ms(None, found.table),
        blocks=found.measured.blocks,
        sites=found.measured.sites,
        prefix=shape.prefix,
        steps=found.table.steps(),
        tried=found.tried,
        plan=found.chosen.plan if found.chosen else None,
        predicted_ms=found.chosen.predicted_ms if found.chosen else None,
        limit_points=limit_points,
        samples=len(trials),
        metric=trials.metric_name,
        unit=trials.unit,
        note=_note(found, sizes, limit_points, trials.points_name, time.was_over),
        sizes=tuple(replace(each, tokens=trials.parts(plan_of(each)).shape.tokens) for each in sizes),
    )


def _smaller(trials: PlanTrials, size: TriedSize) -> Start:
    """The model on smaller images."""
    resized = plan_of(size)
    return Start(trials.parts(resized).shape, resized, size.drop_points)


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

    starts: tuple[Start, ...]
    """The model as it is comes first."""
    divergence: SiteDivergence
    trials: PlanTrials
    effort: SearchEffort
    has_time: Callable[[], bool]
    goes_on_from_others: bool
    """Whether plans that searches for other backends tried count; what is predicted does not depend on their order."""

    def choose(self, blocks: _Blocks) -> _Found:
        """Chooses a plan, measures its blocks, and chooses anew where they were estimated wrongly."""
        tried: dict[str, TriedPlan] = {}
        sizes = {start.resized for start in self.starts}
        known = {plan: drop for plan, drop in self.trials.known.items() if self.goes_on_from_others or plan in sizes}
        plan: Plan | None = None
        for _ in range(self.effort.most_choices):
            table = blocks.table
            plans = faster_plans(table, self.divergence, self.starts)
            choice = choose_plan(plans, self.trials.drop_points, self.trials.limit_points, self._guide(plans, known))
            known |= {each: self.trials.known[each] for each in (parse_any_plan(one.plan) for one in choice.tried)}
            tried |= {
                each.plan: replace(each, samples=known[parse_any_plan(each.plan)].images) for each in choice.tried
            }
            plan = choice.chosen.plan if choice.chosen else None
            new = sorted(self._tokens(plan) - blocks.measured.counts) if plan else ()
            if not new or not self.has_time():
                break
            blocks = replace(blocks, measured=blocks.bench.measure([blocks.bench.block(tokens) for tokens in new]))
            if _is_as_estimated(blocks.measured, table, new):
                break
        return self._found(blocks, tuple(tried.values()), plan)

    def _guide(self, plans: list[PlannedPlan], known: Mapping[Plan, PlanDrop]) -> Guide:
        """Fewer plans are tried where one is known to hold."""
        drops = {plan: drop.points for plan, drop in known.items()}
        limit = self.trials.limit_points
        one_holds = any(
            isinstance(each.plan, TokenPlan) and within_budget(drops.get(each.plan, math.inf), limit) for each in plans
        )
        most = self.effort.most_later_trials if one_holds else self.effort.most_trials
        return Guide(len(self.trials), most, drops, self.has_time, self.trials.point)

    def _found(self, blocks: _Blocks, tried: tuple[TriedPlan, ...], plan: Plan | None) -> _Found:
        """Prices what was tried anew; the fastest that holds is chosen, of those whose blocks are known, and ``plan``."""
        table, known = blocks.table, blocks.measured.counts
        priced = tuple(replace(each, predicted_ms=self.plan_ms(parse_any_plan(each.plan), table)) for each in tried)
        dense_ms = self.plan_ms(None, table)
        holds = (
            each
            for each in priced
            if within_budget(each.drop_points, self.trials.limit_points)
            and each.predicted_ms < dense_ms
            and (each.plan == str(plan) or self._tokens(parse_any_plan(each.plan)) <= known)
        )
        chosen = min(holds, key=lambda each: (each.predicted_ms, each.divergence, each.plan), default=None)
        return _Found(chosen, priced, blocks.measured, table)

    def plan_ms(self, plan: Plan | None, table: BlockCurve) -> float:
        """Returns milliseconds of all blocks under a plan, of the model as it is for None."""
        shape, sites = self._shape_and_sites(plan)
        method = plan.method if isinstance(plan, TokenPlan) else ""
        return table.plan_ms(method, sites, shape.prefix, shape.depth, shape.tokens)

    def _tokens(self, plan: Plan) -> set[int]:
        """Numbers of tokens of the blocks of a plan: at the start, and behind its sites."""
        shape, sites = self._shape_and_sites(plan)
        return {shape.tokens, *(site.tokens + shape.prefix for site in sites)}

    def _shape_and_sites(self, plan: Plan | None) -> tuple[ModelShape, tuple[Site, ...]]:
        """Of the model on the images that a plan gives it."""
        resized = resizing_of(plan) if plan else None
        shape = next(start.shape for start in self.starts if start.resized == resized)
        return shape, plan.sites(shape.patches, shape.depth) if isinstance(plan, TokenPlan) else ()


def _is_as_estimated(measured: BlockCurve, table: BlockCurve, counts: Sequence[int]) -> bool:
    """Whether blocks are as fast, compared with that of the dense model, as they were estimated to be."""
    drift = measured.block_ms(measured.dense_tokens) / table.block_ms(table.dense_tokens)
    return all(
        abs(measured.block_ms(tokens) / (drift * table.block_ms(tokens)) - 1) <= _AS_ESTIMATED for tokens in counts
    )


def _note(found: _Found, sizes: tuple[TriedSize, ...], limit_points: float, points: str, was_over: bool) -> str:
    if was_over:
        return "the time for the search was over before all plans that seemed worth it were tried"
    if found.chosen:
        return ""
    drops = (*(plan.drop_points for plan in found.tried), *(size.drop_points for size in sizes))
    lost = min(drops, default=0.0)
    if within_budget(lost, limit_points):
        return "no plan is faster than all tokens: reducing them costs more than it gains"
    least = f"{lost:.1f}" if points == "points" else f"{lost:.3g}"
    return f"every plan tried loses more than {limit_points:g} {points}, {least} at the least"


def _site_divergence(context: RunContext, parts: Parts, places: tuple[int, ...]) -> SiteDivergence:
    stage = "token search: divergence of single sites"
    images = evaluation_images(context.stages, context.inputs, context.inputs.model.preprocessing).select(places)
    total = -(-len(images) // BATCH)

    def make() -> SiteDivergence:
        found = site_divergences(
            parts,
            map(torch.from_numpy, images.batches(BATCH)),
            _spread(parts.shape.site_blocks(), _DIVERGENCE_BLOCKS),
            on_batch=lambda done: context.stages.progress.stage(stage, done, total + 1),
        )
        return SiteDivergence(found)

    return context.stages.run(stage, SiteDivergence, make)


def _spread(blocks: tuple[int, ...], most: int) -> tuple[int, ...]:
    """At most so many of them, the first and the last among them."""
    return tuple(blocks[place] for place in evenly(len(blocks), most))
