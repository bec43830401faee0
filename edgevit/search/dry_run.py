"""What a search would look at, and about what it would take; nothing heavy is done."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from edgevit.errors import UsageError
from edgevit.model.forward_cost import forward_cost
from edgevit.pipeline.plan import CAPTURE_S, COSTS, OTHER_COSTS, PYTORCH_S_PER_GMAC
from edgevit.results.search import NONE, Struck
from edgevit.run.progress import Progress
from edgevit.search.costs import candidate_seconds
from edgevit.search.divergence import DIVERGENCE_IMAGES
from edgevit.search.model_space import Asked, model_space
from edgevit.search.open_search import OpenedModel, open_models
from edgevit.search.plans import MOST_PLANS, named_plans, searched_sizes
from edgevit.search.pruned_models import named_prunings
from edgevit.search.request import SearchRequest, check_request

_REDUCED_SHARE = 0.75
"""About the MACs that a token plan leaves."""
_BENCH_S = 3.0
"""To time a float model beside the dense one."""
_PRUNE_S = 120.0
"""To prune a model of one GMAC: to look at its layers on calibration images, and to refit what is left."""
_STANDS_FOR = "evit:0.7"
"""A plan that a token search would find, of which only the number is known."""


@dataclass(frozen=True)
class PlannedModel:
    """One model of a search."""

    name: str
    points: int
    """Without counting choices of layers."""
    plans: int
    """Token plans and sizes; those that a token search will find are among them, at most."""
    struck: tuple[Struck, ...]
    single_changes: int
    """That are measured before points are made."""
    minutes_before: float
    """For these, with all jobs."""
    seconds_per_candidate: float
    """Median, on one core."""
    bytes_per_candidate: float
    """Median of the files that stay."""


@dataclass(frozen=True)
class PlannedSearch:
    """What a search would look at, and about what it would take."""

    models: tuple[PlannedModel, ...]
    jobs: int
    candidates: int
    """About as many as will be made."""
    minutes: float
    """About how long it takes, at most the minutes allowed."""
    disk_bytes: float
    """About what the run folders will hold at the end."""


def plan_search(request: SearchRequest, jobs: int, progress: Progress) -> PlannedSearch:
    """Returns what a search would look at; runs each model once, and writes nothing.

    Args:
        request: What to search.
        jobs: Tasks side by side.
        progress: Progress callback.

    Raises:
        UsageError: something that is asked for does not exist or does not fit, or there is nothing to search.
    """
    check_request(request)
    models = tuple(_planned(model, jobs) for model in open_models(request, progress))
    check_space(tuple((model.name, model.points) for model in models))
    before = sum(model.minutes_before for model in models)
    seconds = median(model.seconds_per_candidate for model in models) / jobs
    points = sum(model.points for model in models)
    candidates = points if request.max_trials is None else min(points, request.max_trials)
    if request.max_minutes is not None:
        candidates = min(candidates, max(1, int(60 * max(0.0, 0.9 * request.max_minutes - before) / seconds)))
    minutes = before + candidates * seconds / 60
    size = median(model.bytes_per_candidate for model in models)
    return PlannedSearch(models, jobs, candidates, min(minutes, request.max_minutes or minutes), 2 * candidates * size)


def check_space(points: tuple[tuple[str, int], ...]) -> None:
    """Refuses a search that has nothing to choose.

    Args:
        points: Number of points of each model, by its name.

    Raises:
        UsageError: all spaces together have no more than one point.
    """
    if sum(count for _, count in points) <= 1:
        raise UsageError(
            f"nothing to search: the space of {', '.join(name for name, _ in points)} has no more than one point",
            "give token plans (--tokens auto), schemes (--scheme auto) or runtimes (--export onnx,openvino)",
        )


def _planned(model: OpenedModel, jobs: int) -> PlannedModel:
    inputs, module = model.inputs, model.inputs.model.module
    takes = inputs.model.preprocessing
    cost = forward_cost(module, takes.input_size, takes.channels)
    named, refused, searches = named_plans(module, model.spec.passes.tokens, takes.input_size)
    plans = list(map(str, named))
    if searches:
        plans += [f"resolution:{size}" for size in searched_sizes(module, takes)]
        plans += [f"{_STANDS_FOR}{number}" for number in range(MOST_PLANS if inputs.searches_tokens else 0)]
    plans = list(dict.fromkeys(plans))
    asked = Asked(model.name, model.spec, inputs, inputs.target(cost.has_attention))
    prunes, refused_prunes = named_prunings(model.spec.passes.prune, inputs)
    space = model_space(asked, tuple(plans), refused, prunes, refused_prunes)
    seconds = [
        candidate_seconds(point, inputs, cost.macs, 1.0 if point.tokens == NONE else _REDUCED_SHARE)
        for point in space.points
    ]
    backend = inputs.backends[0].name
    pairs = [(plan, backend) for plan in plans]
    singles_s = sum(COSTS.get(name, OTHER_COSTS).export_s + _BENCH_S for _, name in pairs)
    singles_s += len(plans) * (CAPTURE_S + DIVERGENCE_IMAGES * cost.macs / 1e9 * PYTORCH_S_PER_GMAC)
    singles_s += _PRUNE_S * len(prunes) * cost.macs / 1e9
    weights = 4.0 * inputs.model.params
    return PlannedModel(
        name=model.name,
        points=len(space.points),
        plans=len(plans),
        struck=space.struck,
        single_changes=len(plans) + len(pairs) + len(prunes),
        minutes_before=singles_s / jobs / 60,
        seconds_per_candidate=median(seconds),
        bytes_per_candidate=median([weights, weights / 4]),
    )
