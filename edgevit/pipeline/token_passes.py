"""Makes the variants of a model that compute fewer tokens: by a plan, by a search, or from a smaller input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from edgevit.backends import Backend
from edgevit.devices.device import Device
from edgevit.errors import CandidateFailed
from edgevit.pipeline.context import Alternatives, RunContext, Variant
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.requested_plans import RequestedPlan
from edgevit.pipeline.snapshot import capture_module, pass_record, take_snapshot
from edgevit.pipeline.token_search.find import find_plan
from edgevit.pipeline.token_search.sizes import find_size
from edgevit.pipeline.token_search.tuned_search import find_plan_to_tune
from edgevit.results.measurement import HOST
from edgevit.results.token_search import TokenSearch
from edgevit.spec.schemes import AUTO as AUTO_SCHEME
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.token_plan import AUTO, Plan, ResizePlan, TokenPlan, parse_any_plan
from edgevit.tokens.plan import carry_out
from edgevit.tokens.reduction import CutMargins, ReducedModel
from edgevit.tokens.resize import resize

_INT8_SHARE = 0.7
"""Share of the drop allowed that a search may spend where the result is quantized afterwards, which costs more."""
_CONSERVATIVE_SHARE = 0.35
"""The same where int8 cost a plan found with that share more than was left."""


@dataclass(frozen=True)
class ReducedVariants:
    """Variants for one backend, and how those that were searched for were found."""

    variants: tuple[Alternatives, ...]
    searches: tuple[TokenSearch, ...]
    notes: tuple[str, ...]
    """Searches that could not be made."""

    def and_then(self, later: ReducedVariants) -> ReducedVariants:
        """Returns both, one after the other."""
        return ReducedVariants(self.variants + later.variants, self.searches + later.searches, self.notes + later.notes)


def reduce_for(context: RunContext, trained: TrainedModel, backend: Backend) -> ReducedVariants:
    """Makes the variants that the spec asks for; what does not depend on the backend is made once.

    The pruned model is one, and each plan that the spec names is carried out on it, too.

    Args:
        context: The run.
        trained: The model after the passes before.
        backend: Searches look for the fastest plan in it.
    """
    found = _reduce(context, trained, backend, context.inputs.plans, _INT8_SHARE)
    if trained.pruned is None:
        return found
    named = tuple(plan for plan in context.inputs.plans if plan != AUTO)
    both = tuple(make_variants(context, trained.pruned, plan) for plan in named)
    return replace(found, variants=((trained.pruned.dense,), *found.variants, *both))


def reduce_conservatively_for(context: RunContext, trained: TrainedModel, backend: Backend) -> ReducedVariants:
    """Searches once more, for a plan that leaves int8 more of the drop allowed; see :func:`reduce_for`."""
    note = (
        f"{backend.title}: int8 exceeded the remaining accuracy budget of the token plan found; searching a more"
        " conservative plan"
    )
    context.stages.progress.message(note)
    found = _reduce(context, trained, backend, (AUTO,), _CONSERVATIVE_SHARE)
    return replace(found, notes=(note, *found.notes))


def _reduce(
    context: RunContext,
    trained: TrainedModel,
    backend: Backend,
    plans: tuple[RequestedPlan, ...],
    share: float,
) -> ReducedVariants:
    variants: list[Alternatives] = []
    searches: list[TokenSearch] = []
    notes: list[str] = []
    for plan in plans:
        if plan != AUTO:
            variants.append(make_variants(context, trained, plan))
        else:
            search, failures = _search(context, trained, backend, share)
            notes += failures
            if search and search.plan is None:
                context.stages.progress.message(f"token search for {backend.title}: {search.note}")
            elif search and search.plan:
                variants.append(make_variants(context, trained, parse_any_plan(search.plan)))
            searches += [search] if search else []
    return ReducedVariants(tuple(dict.fromkeys(variants)), tuple(searches), tuple(notes))


def make_variants(context: RunContext, trained: TrainedModel, plan: Plan) -> Alternatives:
    """Returns one variant for each form of a plan; they give the same logits, so PyTorch runs one of them."""
    if isinstance(plan, ResizePlan):
        return _with_resized_input(context, trained, plan)
    return _with_fewer_tokens(context, trained, plan)


def _with_fewer_tokens(context: RunContext, trained: TrainedModel, plan: TokenPlan) -> Alternatives:
    inputs, stages, before = context.inputs, context.stages, trained.dense.preprocessing
    first, *others = inputs.forms
    made = carry_out(trained.module, plan, first, before.input_size)
    reduced, preprocessing = made.module, replace(before, input_size=made.input_size)
    assert isinstance(reduced, ReducedModel)
    name = trained.dense.slug_with(plan.slug)
    snapshot = take_snapshot(stages, inputs, f"{name}-{first}", reduced, preprocessing)
    margins = capture_module(stages, f"{name}-margins", CutMargins(reduced), preprocessing)
    record = pass_record("reduce_tokens", str(plan), trained.snapshot, snapshot)
    variants = [
        Variant(
            slug=f"{name}-{first}",
            program=snapshot.captured.program,
            preprocessing=preprocessing,
            passes=(*trained.dense.passes, record),
            reference=snapshot.logits,
            form=first,
            plan=plan,
            margins=margins.program,
            is_pruned=trained.dense.is_pruned,
        )
    ]
    for form in others:
        slug = f"{name}-{form}"
        module = carry_out(trained.module, plan, form, before.input_size).module
        captured = capture_module(stages, slug, module, preprocessing)
        passes = (*trained.dense.passes, replace(record, macs_after=captured.macs))
        variants.append(replace(variants[0], slug=slug, program=captured.program, passes=passes, form=form))
    return tuple(variants)


def _with_resized_input(context: RunContext, trained: TrainedModel, plan: ResizePlan) -> Alternatives:
    before = trained.dense.preprocessing
    resized = resize(trained.module, plan, before.input_size)
    preprocessing = replace(before, input_size=resized.input_size)
    slug = trained.dense.slug_with(plan.slug)
    snapshot = take_snapshot(context.stages, context.inputs, slug, resized.module, preprocessing)
    record = pass_record("resize", str(plan), trained.snapshot, snapshot)
    return (
        replace(
            trained.dense,
            slug=slug,
            program=snapshot.captured.program,
            preprocessing=preprocessing,
            passes=(*trained.dense.passes, record),
            reference=snapshot.logits,
            plan=plan,
        ),
    )


def _search(
    context: RunContext, trained: TrainedModel, backend: Backend, share: float
) -> tuple[TokenSearch | None, list[str]]:
    """Searches for the first device of the run that can run the blocks, else for this host; tells what could not.

    Where no token of the model can leave, the size of its image is all that is searched for.
    """
    inputs, failures = context.inputs, list[str]()
    floats_only = all(name != AUTO_SCHEME and SCHEMES[name].is_float for name in inputs.spec.export.schemes)
    limit = inputs.spec.budget.max_drop * (1 if floats_only else share)

    def search(find: Callable[[float], TokenSearch]) -> TokenSearch:
        return find_plan_to_tune(context, trained, limit, find) if inputs.spec.finetune.rungs else find(limit)

    if not inputs.searches_tokens:
        return search(partial(find_size, context, trained.module, backend)), failures
    for device in (*(device for device in inputs.devices if _reads(device, backend)), None):
        try:
            return search(partial(find_plan, context, trained.module, backend, device)), failures
        except CandidateFailed as error:
            target = device.name if device else HOST
            failures.append(f"no token plan was searched for {backend.title} on {target}: {error.message}")
            context.stages.progress.message(failures[-1])
    return None, failures


def _reads(device: Device, backend: Backend) -> bool:
    return any(backend.format in unit.formats for unit in device.units)
