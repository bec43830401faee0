"""Makes the variants of a model that compute fewer tokens: by a plan, by a search, or from a smaller start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from edgevit.backends import Backend
from edgevit.devices.device import Device, load_device
from edgevit.errors import CandidateFailed, UsageError
from edgevit.model.load import Model
from edgevit.pipeline.context import Alternatives, Variant
from edgevit.pipeline.model_passes import TrainedModel
from edgevit.pipeline.snapshot import Bench, record
from edgevit.pipeline.token_search.find import find_plan
from edgevit.results.measurement import HOST
from edgevit.results.token_search import TokenSearch
from edgevit.spec.schemes import AUTO as AUTO_SCHEME
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import AUTO, Form, Plan, ResizePlan, TokenPlan, check_form, parse_plan, parse_plans
from edgevit.tokens.reduce import CutMargins, check_reducible, plan_sites, reduce_tokens
from edgevit.tokens.resize import resize

_ROOM_FOR_INTEGERS = 0.7
"""Share of the drop allowed that a search may spend where the result is quantized afterwards, which costs more."""
_ROOM_WHEN_CAREFUL = 0.35
"""The same where integers cost a plan found with that room more than was left."""


@dataclass(frozen=True)
class Reduced:
    """Variants for one backend, and how it came to those that were searched for."""

    variants: tuple[Alternatives, ...]
    searches: tuple[TokenSearch, ...]
    notes: tuple[str, ...]
    """Searches that could not be made."""

    def and_then(self, later: Reduced) -> Reduced:
        """Both, one after the other."""
        return Reduced(self.variants + later.variants, self.searches + later.searches, self.notes + later.notes)


def check_tokens(spec: Spec, model: Model) -> None:
    """Refuses plans that the model cannot carry out, before anything heavy starts.

    Raises:
        UsageError: says which and why.
    """
    plans = parse_plans(spec.passes.tokens)
    check_form(spec.passes.form, plans)
    for plan in plans:
        if isinstance(plan, TokenPlan):
            plan_sites(model.module, plan)
        elif isinstance(plan, ResizePlan):
            resize(model.module, plan, model.preprocessing.input_size)
        else:
            check_reducible(model.module)
            if spec.data.evaluation is None and spec.data.calibration is None:
                raise UsageError(
                    "--tokens auto needs images to see what plans lose",
                    "give --data, best with labels, or --calibration",
                )


def reduce_for(backend: Backend, bench: Bench, model: Model, passed: TrainedModel) -> Reduced:
    """Makes what the spec asks for; what does not depend on the backend is made once.

    Args:
        backend: Searches look for the fastest plan in it.
        bench: Where the model is captured.
        model: As the user brought it, for its preprocessing.
        passed: The model after the passes before.
    """
    plans = parse_plans(bench.shop.spec.passes.tokens)
    return _reduced(plans, _ROOM_FOR_INTEGERS, backend, bench, model, passed)


def reduce_carefully_for(backend: Backend, bench: Bench, model: Model, passed: TrainedModel) -> Reduced:
    """Searches once more, for a plan that leaves integers more of the drop allowed; see :func:`reduce_for`."""
    note = (
        f"integers cost the token plan found for {backend.title} more than was left of the drop allowed: searched once"
        " more, for one that leaves them more"
    )
    bench.shop.progress.message(note)
    found = _reduced((AUTO,), _ROOM_WHEN_CAREFUL, backend, bench, model, passed)
    return replace(found, notes=(note, *found.notes))


def _reduced(
    plans: tuple[Plan | Literal["auto"], ...],
    room: float,
    backend: Backend,
    bench: Bench,
    model: Model,
    passed: TrainedModel,
) -> Reduced:
    variants: list[Alternatives] = []
    searches: list[TokenSearch] = []
    notes: list[str] = []
    for plan in plans:
        if isinstance(plan, ResizePlan):
            variants.append(_with_resized_input(plan, bench, model, passed))
            continue
        if plan == AUTO:
            search, failures = _search(room, backend, bench, model, passed)
            notes += failures
            if search is None:
                continue
            searches.append(search)
            if search.plan is None:
                bench.shop.progress.message(f"token search for {backend.title}: {search.note}")
                continue
            plan = parse_plan(search.plan)
        variants.append(_with_fewer_tokens(plan, bench, model, passed))
    return Reduced(tuple(dict.fromkeys(variants)), tuple(searches), tuple(notes))


def _with_fewer_tokens(plan: TokenPlan, bench: Bench, model: Model, passed: TrainedModel) -> Alternatives:
    """One variant for each form; they give the same logits, so PyTorch runs one of them."""
    first, *others = _forms(bench.shop.spec)
    reduced = reduce_tokens(passed.module, plan, first)
    snapshot = bench.snapshot(f"{plan.slug}-{first}", reduced, model.preprocessing)
    margins = bench.capture(f"{plan.slug}-margins", CutMargins(reduced), model.preprocessing)
    variants = [
        Variant(
            slug=f"{plan.slug}-{first}",
            program=snapshot.captured.program,
            preprocessing=model.preprocessing,
            passes=(*passed.dense.passes, record("reduce_tokens", str(plan), passed.snapshot, snapshot)),
            reference=snapshot.logits,
            form=first,
            margins=margins.program,
        )
    ]
    for form in others:
        slug = f"{plan.slug}-{form}"
        captured = bench.capture(slug, reduce_tokens(passed.module, plan, form), model.preprocessing)
        *before, last = variants[0].passes
        passes = (*before, replace(last, macs_after=captured.macs))
        variants.append(replace(variants[0], slug=slug, program=captured.program, passes=passes, form=form))
    return tuple(variants)


def _forms(spec: Spec) -> tuple[Form, ...]:
    return get_args(Form) if spec.passes.form == "auto" else (spec.passes.form,)


def _with_resized_input(plan: ResizePlan, bench: Bench, model: Model, passed: TrainedModel) -> Alternatives:
    resized = resize(passed.module, plan, model.preprocessing.input_size)
    preprocessing = replace(model.preprocessing, input_size=resized.input_size)
    snapshot = bench.snapshot(plan.slug, resized.module, preprocessing)
    passes = (*passed.dense.passes, record("resize", str(plan), passed.snapshot, snapshot))
    return (Variant(plan.slug, snapshot.captured.program, preprocessing, passes, snapshot.logits),)


def _search(
    room: float, backend: Backend, bench: Bench, model: Model, passed: TrainedModel
) -> tuple[TokenSearch | None, list[str]]:
    """Searches for the first device of the run that can run the blocks, else for this host; tells what could not."""
    spec = bench.shop.spec
    floats_only = all(name != AUTO_SCHEME and SCHEMES[name].is_float for name in spec.export.schemes)
    limit = spec.budget.max_drop * (1 if floats_only else room)
    logits, failures = np.load(passed.baseline_logits), []
    for device in (*(name for name in spec.devices if _reads(load_device(name), backend)), None):
        try:
            search = find_plan(
                bench.shop,
                passed.module,
                backend,
                model.preprocessing,
                bench.images,
                bench.labels,
                logits,
                limit,
                device,
                _forms(spec),
            )
        except CandidateFailed as error:
            failures.append(f"no token plan was searched for {backend.title} on {device or HOST}: {error.message}")
            bench.shop.progress.message(failures[-1])
        else:
            return search, failures
    return None, failures


def _reads(device: Device, backend: Backend) -> bool:
    return any(backend.format in unit.formats for unit in device.units)
