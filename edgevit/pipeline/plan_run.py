"""Plans a run from its inputs, before anything heavy starts."""

from __future__ import annotations

from dataclasses import replace

from edgevit.backends import Backend
from edgevit.measure.rounds import rounds_for
from edgevit.model.forward_cost import forward_cost
from edgevit.pipeline.finetuning import RECIPES
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.plan import PlannedBackend, PlannedScheme, PlannedVariant, RunFacts, make_plan
from edgevit.quantization.policy import Target, first_guess, first_recipe
from edgevit.run.progress import RunPlan
from edgevit.spec.pruning_plan import PruningPlan
from edgevit.spec.spec import DistillSpec
from edgevit.spec.token_plan import AUTO, ResizePlan

_FOUND = "plan-found"
"""Stands for the plan of a token search in the ids of candidates."""
_REDUCED_SHARE = 0.8
"""About the MACs that a token plan leaves."""


def plan_run(inputs: Inputs, jobs: int, *, measures: bool = True) -> RunPlan:
    """Returns what a run makes at least, and about how long it takes; runs the model once.

    Args:
        inputs: What the run works with.
        jobs: Stages that it runs side by side.
        measures: Whether candidates are evaluated and measured, not only made and verified.
    """
    takes = inputs.model.preprocessing
    cost = forward_cost(inputs.model.module, takes.input_size, takes.channels)
    target = inputs.target(cost.has_attention)
    settings = inputs.spec.distill if inputs.training_images else None
    backends = tuple(_backend(inputs, backend, target) for backend in inputs.backends)
    untuned = (PlannedVariant(("dense",)), *_reduced(inputs))
    variants = (*untuned, *_tuned(inputs, untuned[1:] or untuned))
    entries = sum(len(variant.slugs) + len(backend.schemes) for backend in backends for variant in variants)
    return make_plan(
        RunFacts(
            backends=backends,
            variants=variants,
            macs=cost.macs,
            images=len(inputs.images.ids),
            calibration_images=len(inputs.calibration.ids) if inputs.calibration else 0,
            devices=len(inputs.devices),
            training_macs=_training_macs(inputs, settings, cost.macs) if settings else 0,
            min_seconds=inputs.spec.measure.min_seconds,
            rounds=0 if inputs.spec.quick else rounds_for(entries),
            jobs=jobs,
            measures=measures,
            quick=inputs.spec.quick,
            embeds=inputs.spec.export.embed_preprocessing,
            may_add=_may_add(inputs, target),
            other_images=tuple(map(len, inputs.data.others)),
        )
    )


def _backend(inputs: Inputs, backend: Backend, target: Target) -> PlannedBackend:
    names = inputs.schemes(first_guess(backend.policy, target).schemes)
    certain = names[:1] if inputs.is_automatic else names
    schemes = (PlannedScheme(name, bool(first_recipe(backend.policy, name, target).preparations)) for name in certain)
    return PlannedBackend(backend.name, tuple(schemes))


def _reduced(inputs: Inputs) -> tuple[PlannedVariant, ...]:
    """The variants that the spec names, and one for a search; twice the same is made once."""
    variants, pruned = [], inputs.pruning.slug if isinstance(inputs.pruning, PruningPlan) else inputs.pruning
    if pruned:
        variants.append(PlannedVariant((pruned,)))
    for plan in inputs.plans:
        slug = _FOUND if plan == AUTO else plan.slug
        if isinstance(plan, ResizePlan) or (plan == AUTO and not inputs.searches_tokens):
            slugs: tuple[str, ...] = (slug,)
        else:
            slugs = tuple(f"{slug}-{form}" for form in inputs.forms)
        variants.append(PlannedVariant(slugs, _REDUCED_SHARE))
        if pruned and plan != AUTO:
            variants.append(PlannedVariant(tuple(f"{pruned}-{each}" for each in slugs), _REDUCED_SHARE))
    return tuple(variants)


def _tuned(inputs: Inputs, variants: tuple[PlannedVariant, ...]) -> tuple[PlannedVariant, ...]:
    """What is made of each variant by fine-tuning for certain: of one form, at most once for each backend."""
    finetune = inputs.spec.finetune
    if finetune.mode == "auto" or inputs.tuning_images is None:
        return ()
    return tuple(
        replace(
            variant,
            slugs=(f"{variant.slugs[0]}-{rung}",),
            tuning_views=(finetune.images_seen or RECIPES[rung].images_seen) * len(inputs.backends),
            tuning_limit_s=60 * finetune.max_minutes * len(inputs.backends),
        )
        for variant in variants
        for rung in finetune.rungs
    )


def _training_macs(inputs: Inputs, settings: DistillSpec, macs: int) -> int:
    """Of one forward pass of the student over all training images, times the epochs; a teacher is taken as large."""
    images = len(inputs.training_images.train) if inputs.training_images else 0
    return (1 + (settings.teacher is not None)) * macs * images * settings.epochs


def _may_add(inputs: Inputs, target: Target) -> tuple[str, ...]:
    """What a run may do besides, in words."""
    quantizes = any(inputs.schemes(first_guess(backend.policy, target).schemes) for backend in inputs.backends)
    repairs = quantizes and not inputs.spec.quick
    words = ["the repair of int8 candidates that lose more than allowed"] if repairs else []
    if AUTO in inputs.plans:
        words.append("the token search" if inputs.searches_tokens else "the search for the input size")
    if inputs.tuning_images and inputs.spec.finetune.mode == "auto":
        limit = inputs.spec.finetune.max_minutes
        words.append(f"fine-tuning of what loses more than allowed, up to {limit:g} min each time")
    return tuple(words)
