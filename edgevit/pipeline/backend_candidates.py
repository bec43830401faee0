"""Makes every candidate of one backend: the float ones, then what is quantized from each."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial

from edgevit.backends import Backend
from edgevit.pipeline.candidate import begin, build, leave_out, make, measure
from edgevit.pipeline.choose import ends_policy, int8_exceeds_budget, misses_budget, reject_worse_forms
from edgevit.pipeline.context import Alternatives, CandidateDraft, RunContext, Variant
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.token_passes import reduce_conservatively_for, reduce_for
from edgevit.pipeline.tuned_candidates import candidate_to_tune, make_tuned
from edgevit.quantization.policy import first_guess
from edgevit.results.candidate import Candidate
from edgevit.results.finetune import Finetune
from edgevit.results.token_search import TokenSearch


@dataclass(frozen=True)
class BackendCandidates:
    """What a run made for one backend."""

    candidates: tuple[Candidate, ...]
    """The dense float one first."""
    searches: tuple[TokenSearch, ...]
    notes: tuple[str, ...]
    finetunes: tuple[Finetune, ...]


@dataclass(frozen=True)
class _Made:
    """Candidates, and how some of them were tuned."""

    candidates: tuple[Candidate, ...] = ()
    finetunes: tuple[Finetune, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: _Made) -> _Made:
        return _Made(self.candidates + other.candidates, self.finetunes + other.finetunes, self.notes + other.notes)


def make_candidates(context: RunContext, trained: TrainedModel, backend: Backend) -> BackendCandidates:
    """Makes every candidate of one backend; what does not depend on each other is made side by side.

    Where int8 cost a token plan that was found more than was left of the drop allowed, a more conservative one is
    searched for, once.

    Args:
        context: The run.
        trained: The model after the passes that change its weights.
        backend: What they are for.
    """
    stages, first = context.stages, begin(backend, "fp32", trained.dense, None)
    draft, reduced = stages.both(
        partial(make, context, CandidateDraft(backend, trained.dense, None, first)),
        partial(reduce_for, context, trained, backend),
    )
    # nothing of the dense float one's measurement is needed to go on, so that it can wait until all else is done
    dense, (from_dense, from_reduced) = stages.both(
        partial(measure, context, draft),
        partial(
            stages.both,
            partial(_quantize_dense, context, trained, backend, draft.candidate),
            partial(_make, context, trained, backend, reduced.variants, draft.candidate),
        ),
    )
    made = _Made((dense,)) + from_dense + from_reduced
    limit = context.inputs.spec.budget.max_drop
    if any(search.plan and int8_exceeds_budget(made.candidates, search.plan, limit) for search in reduced.searches):
        again = reduce_conservatively_for(context, trained, backend)
        new = tuple(alternatives for alternatives in again.variants if alternatives not in reduced.variants)
        made += _make(context, trained, backend, new, dense)
        reduced = reduced.and_then(again)
    return BackendCandidates(made.candidates, reduced.searches, (*reduced.notes, *made.notes), made.finetunes)


def _quantize_dense(context: RunContext, trained: TrainedModel, backend: Backend, dense: Candidate) -> _Made:
    """Candidates with all tokens besides the float one, and what fine-tuning makes of them where no plan is to be tuned."""
    made = _quantize(context, backend, trained.dense, dense)
    if (context.inputs.plans or trained.pruned) and context.inputs.spec.finetune.mode != "auto":
        return _Made(made)
    return _tune(context, trained, backend, (trained.dense,), dense, made)


def _make(
    context: RunContext, trained: TrainedModel, backend: Backend, variants: tuple[Alternatives, ...], dense: Candidate
) -> _Made:
    """Candidates with fewer tokens; float ones are always made, for the others are compared with them."""
    calls = [partial(_make_plan, context, trained, backend, alternatives, dense) for alternatives in variants]
    return sum(context.stages.side_by_side(calls), start=_Made())


def _make_plan(
    context: RunContext, trained: TrainedModel, backend: Backend, alternatives: Alternatives, dense: Candidate
) -> _Made:
    """Candidates of one plan, and what fine-tuning makes of them."""
    made = _make_alternatives(context, backend, alternatives, dense)
    return _tune(context, trained, backend, alternatives, dense, made)


def _tune(
    context: RunContext,
    trained: TrainedModel,
    backend: Backend,
    alternatives: Alternatives,
    dense: Candidate,
    candidates: tuple[Candidate, ...],
) -> _Made:
    """Adds fine-tuned candidates: where the spec says so, or, by "auto", while all exceed the budget; cheapest first."""
    finetune, max_drop = context.inputs.spec.finetune, context.inputs.spec.budget.max_drop
    untuned = candidate_to_tune(alternatives, candidates) if finetune.rungs else None
    made = _Made(candidates)
    for rung in finetune.rungs if untuned and context.inputs.tuning_images else ():
        if finetune.mode == "auto" and not misses_budget(made.candidates, max_drop):
            break
        assert untuned is not None
        tuned = make_tuned(context, trained, backend, untuned, rung, dense)
        kept = (tuned.replaced if c == untuned.candidate and tuned.replaced else c for c in made.candidates)
        made = _Made(
            (*kept, *tuned.candidates),
            (*made.finetunes, *((tuned.record,) if tuned.record else ())),
            (*made.notes, *((tuned.note,) if tuned.note else ())),
        )
    return made


def _make_alternatives(
    context: RunContext, backend: Backend, alternatives: Alternatives, dense: Candidate
) -> tuple[Candidate, ...]:
    stages = context.stages
    floats = tuple(
        stages.side_by_side([partial(build, context, backend, "fp32", variant, dense) for variant in alternatives])
    )
    worse = reject_worse_forms(floats)
    made = tuple(worse.get(candidate.id, candidate) for candidate in floats)
    pairs = [pair for pair in zip(alternatives, floats, strict=True) if pair[1].id not in worse]
    quantized = stages.side_by_side([partial(_quantize, context, backend, *pair) for pair in pairs])
    return (*made, *itertools.chain(*quantized))


def _quantize(context: RunContext, backend: Backend, variant: Variant, parent: Candidate) -> tuple[Candidate, ...]:
    """The candidates that are made from a float one; by "auto", until one is usable."""
    made: list[Candidate] = []
    is_tuned_later = bool(context.inputs.spec.finetune.rungs)
    for scheme in context.inputs.schemes(first_guess(backend.policy, context.target).schemes):
        if parent.status == "rejected" and not is_tuned_later:  # quantized, it would not lose less
            made.append(leave_out(context, backend, scheme, variant, parent))
            continue
        made.append(build(context, backend, scheme, variant, parent))
        if context.inputs.is_automatic and ends_policy(made[-1], parent):
            break
    return tuple(made)
