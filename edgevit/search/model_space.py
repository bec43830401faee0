"""The points that a spec allows for a model whose inputs are open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgevit.measure.host import has_precision
from edgevit.pipeline.export_inputs import fits_integer_io
from edgevit.pipeline.inputs import Inputs
from edgevit.quantization.policy import Target, first_guess
from edgevit.results.search import NONE
from edgevit.search.space import FLOAT, Change, Dimensions, Facts, Space, make_space
from edgevit.spec.schemes import AUTO, SCHEMES
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import ResizePlan, parse_any_plan

LAYER_SCHEME = "static_wi8_ai8"
"""In which layers are chosen one by one."""
NOT_SEARCHED = ("mixed_wi8_ai8",)
"""Schemes that are a choice of layers themselves."""


@dataclass(frozen=True)
class Asked:
    """A model, and what is asked for."""

    name: str
    spec: Spec
    inputs: Inputs
    target: Target


def model_space(
    asked: Asked,
    plans: tuple[str, ...],
    refused: Mapping[str, str],
    prunes: tuple[str, ...] = (),
    refused_prunes: Mapping[str, str] = MappingProxyType({}),
    unsupported: Callable[[str, Change], str] = lambda backend, change: "",
) -> Space:
    """Combines what a spec names, and strikes out what is impossible.

    Args:
        asked: The model.
        plans: Token plans and sizes that it can carry out.
        refused: Those that it cannot, each with the reason.
        prunes: Prunings that it can carry out.
        refused_prunes: Those that it cannot, each with the reason.
        unsupported: See :class:`edgevit.search.space.Facts`.
    """
    inputs, spec = asked.inputs, asked.spec
    backends = {backend.name: backend for backend in inputs.backends}
    facts = Facts(
        has_scheme=lambda backend, scheme: scheme in backends[backend].schemes,
        is_computed=lambda scheme: has_precision(SCHEMES[scheme].precision, inputs.host.isa),
        calibrated=inputs.calibration is not None,
        fits_io=lambda scheme: spec.quantize.integer_io == "none" or fits_integer_io(scheme),
        unsupported=unsupported,
        refused=lambda name: refused.get(name, "") or refused_prunes.get(name, ""),
    )
    return make_space(
        Dimensions(
            model=asked.name,
            backends=tuple(backends),
            schemes=tuple(scheme for scheme in _schemes(asked) if scheme not in (*NOT_SEARCHED, FLOAT)),
            changes=tuple(Change(plan, form) for plan in (*plans, *refused) for form in forms_of(plan, inputs)),
            prunes=(*prunes, *refused_prunes),
            rungs=spec.finetune.rungs if inputs.tuning_images else (),
        ),
        facts,
    )


def forms_of(plan: str, inputs: Inputs) -> tuple[str, ...]:
    """Returns how graphs of a plan may select tokens; none for one that only makes the image smaller."""
    return (NONE,) if isinstance(parse_any_plan(plan), ResizePlan) else inputs.forms


def _schemes(asked: Asked) -> tuple[str, ...]:
    if asked.spec.export.schemes != (AUTO,):
        return asked.spec.export.schemes
    guesses = [first_guess(backend.policy, asked.target).schemes for backend in asked.inputs.backends]
    return tuple(dict.fromkeys(scheme for guess in guesses for scheme in guess))
