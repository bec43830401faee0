"""Tries smaller images, the largest first, until one loses too much; for some models that is the whole search."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from edgevit.backends import Backend
from edgevit.model.forward_cost import forward_cost
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.token_search.effort import DEFAULT_EFFORT, SearchEffort, SearchTime, evenly
from edgevit.pipeline.token_search.trials import PlanTrials
from edgevit.results.candidate import within_budget
from edgevit.results.measurement import HOST
from edgevit.results.token_search import TokenSearch, TriedSize
from edgevit.spec.token_plan import ResizePlan
from edgevit.tokens.resize import smaller_sizes


def possible_sizes(context: RunContext, module: nn.Module) -> tuple[int, ...]:
    """Returns the smaller sides of square images that may be tried, falling; none where arrays are fed, which are not resized.

    Args:
        context: The run.
        module: As it would be exported, in eval mode.
    """
    takes = context.inputs.model.preprocessing
    return () if takes.input == "array" else smaller_sizes(module, takes.input_size)


def find_size(
    context: RunContext,
    module: nn.Module,
    backend: Backend,
    limit_points: float,
    effort: SearchEffort = DEFAULT_EFFORT,
) -> TokenSearch:
    """Finds the smallest image whose accuracy drop is no larger than the limit, for a model whose tokens all stay.

    Nothing is timed: a smaller image is fewer operations of the same kind. All backends share what is found.

    Args:
        context: The run; its images are real.
        module: As it would be exported, in eval mode.
        backend: Whose artifacts are to be fast.
        limit_points: See :func:`edgevit.pipeline.token_search.find.find_plan`.
        effort: How much to look at.
    """
    time = SearchTime.of(context, effort)
    trials = PlanTrials(context, module, evenly(len(context.inputs.images.ids), effort.trial_images), limit_points)
    possible = possible_sizes(context, module)
    tried = try_sizes(trials, possible[: effort.most_sizes], time)
    held = held_sizes(tried, limit_points)
    return TokenSearch(
        backend=backend.name,
        target=HOST,
        source="none",
        dense_ms=None,
        blocks=(),
        sites=(),
        prefix=0,
        steps=(),
        tried=(),
        plan=str(plan_of(held[-1])) if held else None,
        predicted_ms=None,
        limit_points=limit_points,
        samples=len(trials),
        metric=trials.metric_name,
        unit=trials.unit,
        note=_note(tried, held, trials, time),
        sizes=tried,
    )


def try_sizes(trials: PlanTrials, sizes: tuple[int, ...], has_time: Callable[[], bool]) -> tuple[TriedSize, ...]:
    """Tries smaller images until one loses more than the limit of the trials.

    Args:
        trials: Of a model that takes these sizes.
        sizes: Sides of square images in pixels, falling.
        has_time: After it says no, no size is tried.

    Returns:
        Those that were tried; the last one alone may exceed the limit.
    """
    tried: list[TriedSize] = []
    for size in sizes:
        if not has_time():
            break
        plan = ResizePlan("resolution", size)
        points = trials.drop_points(plan)
        drop = trials.known[plan]
        cost = forward_cost(trials.module(plan), (size, size))
        tried.append(TriedSize(size, cost.macs, points, drop.interval, drop.images))
        if not within_budget(points, trials.limit_points):
            break
    return tuple(tried)


def held_sizes(tried: tuple[TriedSize, ...], limit_points: float) -> tuple[TriedSize, ...]:
    """Returns the sizes that lose no more than a limit in percentage points."""
    return tuple(each for each in tried if within_budget(each.drop_points, limit_points))


def plan_of(tried: TriedSize) -> ResizePlan:
    """Returns the plan by which images get this size."""
    return ResizePlan("resolution", tried.size)


def _note(tried: tuple[TriedSize, ...], held: tuple[TriedSize, ...], trials: PlanTrials, time: SearchTime) -> str:
    if time.was_over:
        return "the time for the search was over before all sizes that seemed worth it were tried"
    if held:
        return ""
    lost = f"{tried[0].drop_points:.1f}" if trials.unit == "%" else f"{tried[0].drop_points:.3g}"
    limit = f"{trials.limit_points:g} {trials.points_name}"
    return f"images of {tried[0].size} pixels already lose more than {limit}, {lost}"
