"""The token plans and input sizes of a search: those that a spec names, and for "auto" those that a token search finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from edgevit.backends import Backend
from edgevit.errors import CandidateFailed, UsageError
from edgevit.pipeline.context import RunContext
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.token_search.find import find_plan
from edgevit.results.artifact import Preprocessing
from edgevit.results.token_search import TokenSearch
from edgevit.spec.token_plan import AUTO, Plan, ResizePlan, parse_any_plan, parse_plans
from edgevit.tokens.plan import check_plan
from edgevit.tokens.resize import smaller_sizes

_REACHES = (0.7, 1.0, 1.5, 2.5, 4.0)
"""Multiples of the drop allowed for which a plan is searched for in the runtime that is fastest in float: int8 follows, or fine-tuning."""
_OTHERS_REACHES = (1.0, 1.5)
"""The same in each other runtime, whose latency falls at other numbers of tokens, and which may be the fastest in int8."""
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


def searched_plans(backends: int) -> int:
    """Returns for how many plans is searched, of which some may be the same, in so many runtimes."""
    return len(_REACHES) + len(_OTHERS_REACHES) * (backends - 1)


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
    found = tuple(parse_any_plan(search.plan) for search in searches if search.plan)
    return SearchedPlans(
        tuple(dict.fromkeys((*named, *sizes, *found))), refused, searches, (failure,) if failure else ()
    )


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
    fastest, *others = backends
    asked = [(fastest, reach) for reach in _REACHES]
    asked += [(other, reach) for other in others for reach in _OTHERS_REACHES]
    try:
        for backend, reach in asked:
            found.append(find_plan(context, trained.module, backend, device, reach * limit))
    except CandidateFailed as error:
        return tuple(found), f"token plans were not searched for any further: {error.message}"
    return tuple(found), ""
