"""Makes every candidate of one backend: the float ones, then what is quantized from each."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.backends import Backend
from edgevit.pipeline.candidate import build
from edgevit.pipeline.choose import ends_policy, int8_exceeds_budget, reject_worse_forms
from edgevit.pipeline.context import Alternatives, RunContext, Variant
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.token_passes import reduce_conservatively_for, reduce_for
from edgevit.quantization.policy import first_guess
from edgevit.results.candidate import Candidate
from edgevit.results.token_search import TokenSearch


@dataclass(frozen=True)
class BackendCandidates:
    """What a run made for one backend."""

    candidates: tuple[Candidate, ...]
    """The dense float one first."""
    searches: tuple[TokenSearch, ...]
    notes: tuple[str, ...]


def make_candidates(context: RunContext, trained: TrainedModel, backend: Backend) -> BackendCandidates:
    """Makes every candidate of one backend.

    Where int8 cost a token plan that was found more than was left of the drop allowed, a more conservative one is
    searched for, once.

    Args:
        context: The run.
        trained: The model after the passes that change its weights.
        backend: What they are for.
    """
    reduced = reduce_for(context, trained, backend)
    made = _make(context, backend, ((trained.dense,), *reduced.variants), None)
    limit = context.inputs.spec.budget.max_drop
    if any(search.plan and int8_exceeds_budget(tuple(made), search.plan, limit) for search in reduced.searches):
        again = reduce_conservatively_for(context, trained, backend)
        new = tuple(alternatives for alternatives in again.variants if alternatives not in reduced.variants)
        made += _make(context, backend, new, made[0])
        reduced = reduced.and_then(again)
    return BackendCandidates(tuple(made), reduced.searches, reduced.notes)


def _make(
    context: RunContext, backend: Backend, variants: tuple[Alternatives, ...], dense: Candidate | None
) -> list[Candidate]:
    """Candidates of one backend; float ones are always made, for the others are compared with them.

    Args:
        context: The run.
        backend: What they are for.
        variants: What they are made from.
        dense: Float candidate to compare with; the first one made where None.
    """
    made: list[Candidate] = []
    for alternatives in variants:
        first = dense or (made[0] if made else None)
        floats = tuple(build(context, backend, "fp32", variant, first) for variant in alternatives)
        worse = reject_worse_forms(floats)
        made += [worse.get(candidate.id, candidate) for candidate in floats]
        for variant, parent in zip(alternatives, floats, strict=True):
            if parent.id not in worse:
                made += _quantize(context, backend, variant, parent)
    return made


def _quantize(context: RunContext, backend: Backend, variant: Variant, parent: Candidate) -> list[Candidate]:
    """The candidates that are made from a float one; by "auto", until one is usable."""
    made: list[Candidate] = []
    for scheme in context.inputs.schemes(first_guess(backend.policy, context.target).schemes):
        made.append(build(context, backend, scheme, variant, parent))
        if context.inputs.is_automatic and ends_policy(made[-1], parent):
            break
    return made
