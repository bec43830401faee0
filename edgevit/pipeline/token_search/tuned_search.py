"""Finds a plan where fine-tuning follows: untuned plans that lose too much are tuned for a short time, to see what is regained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edgevit.errors import CandidateFailed, UsageError
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.finetuning import RECIPES, Student, tuning_job
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.tasks import finetune_task
from edgevit.pipeline.token_search.effort import DEFAULT_EFFORT, SearchTime, evenly
from edgevit.pipeline.token_search.trials import PlanTrials
from edgevit.results.candidate import within_budget
from edgevit.results.token_search import TokenSearch, TunedPlan
from edgevit.spec.token_plan import parse_any_plan
from edgevit.tokens.plan import carry_out

REACHES = (4.0, 2.5, 1.6)
"""Multiples of the limit that untuned plans may lose; of each, the fastest plan is tuned until one is expected to keep the
limit."""
_REGAINED = 2.5
"""The same where there is no time for a short fine-tuning, or it failed: what is left to the one that follows."""
_VIEWS = 960
"""Of images in a short fine-tuning; most of what tuning regains comes at once."""


def find_plan_to_tune(
    context: RunContext, trained: TrainedModel, limit_points: float, search: Callable[[float], TokenSearch]
) -> TokenSearch:
    """Finds the fastest plan that is expected to keep a limit after fine-tuning, else the fastest that keeps it untuned.

    Of a few reaches beyond the limit, the largest first, the fastest plan is tuned for a short time; see :func:`expected`.

    Args:
        context: The run; its spec asks for fine-tuning.
        trained: The model after the passes before; it is the teacher.
        limit_points: Drop of top-1 allowed, or without labels share of images that get another class; in percentage
            points.
        search: Finds the fastest untuned plan within a limit in percentage points; what it tried for a larger limit it
            does not try again for a smaller one.

    Raises:
        CandidateFailed: a search failed.
    """
    time, found, tuned = SearchTime.of(context, DEFAULT_EFFORT), list[TokenSearch](), list[TunedPlan]()
    for reach in REACHES:
        found.append(search(reach * limit_points))
        if found[-1].plan is None:
            break
        if within_budget(_untuned(found[-1]), limit_points):
            return _merged(found, found[-1], limit_points, tuned)
        if _was_tuned(tuned, found[-1]) or context.tried_plans.is_hopeless(_untuned(found[-1]), limit_points):
            continue
        try:
            each = _tune_shortly(context, trained, found[-1]) if time() else None
        except (CandidateFailed, UsageError) as error:
            return _untested(found, search(_REGAINED * limit_points), f"no plan was tuned shortly: {error.message}")
        if each is None:
            return _untested(found, search(_REGAINED * limit_points), "there was no time to tune plans shortly")
        tuned.append(each)
        if within_budget(each.expected_points, limit_points):
            return _merged(found, found[-1], limit_points, tuned)
    return _merged(found, search(limit_points), limit_points, tuned)


def expected(before_points: float, after_points: float, divergences: tuple[float, float]) -> float:
    """Returns the drop in percentage points that the fine-tuning that follows is expected to leave.

    Divergence tells finer than a count of lost images what was regained. A short fine-tuning leaves about three quarters of
    it, the one that follows about half: the square of that share. Where fewer images are lost already, these count.

    Args:
        before_points: Drop untuned.
        after_points: Drop after the short fine-tuning.
        divergences: From the dense model on the images kept apart, before and after the short fine-tuning, in nats.
    """
    before, after = divergences
    left = (after / before) ** 2 if before > 0 else 1.0
    return min(after_points, before_points * left)


def _was_tuned(tuned: list[TunedPlan], search: TokenSearch) -> bool:
    return search.plan in [each.plan for each in tuned]


def _untuned(search: TokenSearch) -> float:
    """Drop of the plan found, in percentage points."""
    drops = {tried.plan: tried.drop_points for tried in search.tried}
    drops |= {f"resolution:{size.size}": size.drop_points for size in search.sizes}
    return drops[str(search.plan)]


def _merged(earlier: list[TokenSearch], last: TokenSearch, limit_points: float, tuned: list[TunedPlan]) -> TokenSearch:
    """The last search, with all that was tried before it."""
    searches = [*(each for each in earlier if each is not last), last]
    tried = {plan.plan: plan for each in searches for plan in each.tried}
    sizes = {size.size: size for each in searches for size in each.sizes}
    return replace(
        last,
        tried=tuple(tried.values()),
        sizes=tuple(sizes[size] for size in sorted(sizes, reverse=True)),
        limit_points=limit_points,
        tuned=tuple(tuned),
    )


def _untested(earlier: list[TokenSearch], last: TokenSearch, note: str) -> TokenSearch:
    merged = _merged(earlier, last, last.limit_points, [])
    return replace(merged, note="; ".join(filter(None, (merged.note, note))))


def _tune_shortly(context: RunContext, trained: TrainedModel, search: TokenSearch) -> TunedPlan:
    """Tunes the plan that a search found, once in a run, and looks at what it loses then."""
    plan, stages, inputs = parse_any_plan(str(search.plan)), context.stages, context.inputs
    form, before = inputs.forms[0], inputs.model.preprocessing
    made = carry_out(trained.module, plan, form, before.input_size)
    slug = plan.slug  # as of the training in float that may follow
    student = Student(slug, made.module, replace(before, input_size=made.input_size))
    recipe = replace(RECIPES["quick"], images_seen=_VIEWS)
    weights = stages.folder.work(f"{slug}-short.tuned.safetensors")
    job = tuning_job(context, trained, student, recipe, weights)
    found = stages.run_in_child(f"token search: fine-tune {plan} shortly", f"finetune-{slug}-short", finetune_task(job))
    places = evenly(len(inputs.images.ids), DEFAULT_EFFORT.trial_images)
    drop = PlanTrials(context, trained.module, places, search.limit_points).tuned_drop(plan, found.weights)
    untuned = _untuned(search)
    divergences = found.curve[0].divergence, min(look.divergence for look in found.curve)
    later = expected(untuned, drop.points, divergences)
    context.tried_plans.add_tuned(plan, untuned, later)
    return TunedPlan(
        plan=str(plan),
        predicted_ms=search.predicted_ms,
        images_seen=found.images_seen,
        seconds=found.seconds,
        divergence_before=divergences[0],
        divergence_after=divergences[1],
        drop_points_before=untuned,
        drop_points=drop.points,
        expected_points=later,
        drop_interval=drop.interval,
    )
