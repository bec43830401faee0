"""The token plans and input sizes of a search: those that a spec names, and for "auto" those that a token search finds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from edgevit.backends import Backend
from edgevit.errors import CandidateFailed, UsageError
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.token_search.find import find_plan
from edgevit.results.artifact import Preprocessing
from edgevit.results.token_search import TokenSearch
from edgevit.search.front import front_places
from edgevit.spec.token_plan import AUTO, Plan, ResizePlan, parse_any_plan, parse_plans
from edgevit.tokens.plan import check_plan
from edgevit.tokens.resize import smaller_sizes

_REACHES = (2.8, 0.7)
"""Multiples of the drop allowed for which a plan is searched for in each runtime, as ``compress`` does: fine-tuning follows, or int8."""
_FURTHEST = 4.0
"""Multiple of the drop allowed up to which plans that a search has tried are looked at."""
MOST_PLANS = 14
"""That are measured, besides those that a spec names: those found, then those tried whose drop is nearest to the one allowed."""
_SIZES = 3
"""Smaller images that are looked at."""


@dataclass(frozen=True)
class SearchedPlans:
    """Plans of one model."""

    plans: tuple[Plan, ...]
    refused: dict[str, str]
    """Plans that the spec names and the model cannot carry out, each with the reason."""
    searches: tuple[TokenSearch, ...]
    """That proposed plans."""
    notes: tuple[str, ...]

    @property
    def drops(self) -> dict[str, float]:
        """Of the plans and sizes that were tried, in points or the unit of the metric."""
        sizes = {f"resolution:{size.size}": size.drop_points for search in self.searches for size in search.sizes}
        return sizes | {tried.plan: tried.drop_points for search in self.searches for tried in search.tried}


def find_plans(context: RunContext, trained: TrainedModel, tokens: str, backends: Sequence[Backend]) -> SearchedPlans:
    """Returns the plans to search among.

    Args:
        context: The run of the model; its limit is the drop that the user allows.
        trained: The model after the passes that change its weights.
        tokens: As ``passes.tokens`` of the spec has it.
        backends: That the model runs in, the fastest first.
    """
    takes = context.inputs.model.preprocessing
    named, refused, is_searched = named_plans(trained.module, tokens, takes.input_size)
    if not is_searched:
        return SearchedPlans(named, refused, (), ())
    sizes = tuple(ResizePlan("resolution", size) for size in searched_sizes(trained.module, takes))
    searches, failure = _search(context, trained, backends)
    found = tuple(map(parse_any_plan, worth_making(searches, context.inputs.spec.budget.max_drop)))
    return SearchedPlans(
        tuple(dict.fromkeys((*named, *sizes, *found))), refused, searches, (failure,) if failure else ()
    )


def worth_making(searches: Sequence[TokenSearch], max_drop: float) -> tuple[str, ...]:
    """Returns the plans that searches have found, and those they have tried that no other of the same runtime is faster and loses less than.

    Args:
        searches: Of one model.
        max_drop: That the user allows, in points or the unit of the metric.
    """
    found = [search.plan for search in searches if search.plan]
    tried = dict[str, float]()
    for backend in dict.fromkeys(search.backend for search in searches):
        own = [search for search in searches if search.backend == backend]
        plans = [
            each
            for search in own
            for each in search.tried
            if each.predicted_ms < (search.dense_ms or math.inf) and each.drop_points <= _FURTHEST * max_drop
        ]
        values = np.array([(each.predicted_ms, each.drop_points) for each in plans]).reshape(len(plans), 2)
        tried |= {plans[place].plan: plans[place].drop_points for place in front_places(values)}
    nearest = sorted(tried, key=lambda plan: (abs(tried[plan] - max_drop), plan))
    return tuple(dict.fromkeys((*found, *nearest)))[:MOST_PLANS]


def named_plans(
    module: nn.Module, tokens: str, input_size: tuple[int, int]
) -> tuple[tuple[Plan, ...], dict[str, str], bool]:
    """Returns the plans that a spec names, those that the model cannot carry out with the reason, and whether others are searched for.

    Args:
        module: As it would be exported, in eval mode.
        tokens: As ``passes.tokens`` of the spec has it.
        input_size: Height and width in pixels.
    """
    plans, refused, is_searched = list[Plan](), dict[str, str](), False
    for plan in parse_plans(tokens):
        if plan == AUTO:
            is_searched = True
            continue
        try:
            check_plan(module, plan, input_size)
        except UsageError as error:
            refused[str(plan)] = error.message
        else:
            plans.append(plan)
    return tuple(plans), refused, is_searched


def searched_sizes(module: nn.Module, takes: Preprocessing) -> tuple[int, ...]:
    """Returns the smaller sides of square images that are looked at, falling; none where arrays are fed.

    Args:
        module: As it would be exported, in eval mode.
        takes: What its images go through.
    """
    return () if takes.input == "array" else smaller_sizes(module, takes.input_size)[:_SIZES]


def _search(
    context: RunContext, trained: TrainedModel, backends: Sequence[Backend]
) -> tuple[tuple[TokenSearch, ...], str]:
    """One search for each reach and runtime; plans of one serve all, and what they cost in each is measured."""
    inputs = context.inputs
    if not inputs.searches_tokens:
        return (), ""
    device = inputs.devices[0] if inputs.devices else None
    limit, found = inputs.spec.budget.max_drop, list[TokenSearch]()
    try:
        for backend, reach in itertools.product(backends, _REACHES):
            found.append(find_plan(context, trained.module, backend, device, reach * limit))
    except CandidateFailed as error:
        return tuple(found), f"token plans were not searched for any further: {error.message}"
    return tuple(found), ""
