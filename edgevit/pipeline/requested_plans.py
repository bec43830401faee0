"""Token plans that a spec asks for, checked against the model."""

from __future__ import annotations

from typing import Literal

from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.spec.token_plan import AUTO, Plan, ResizePlan
from edgevit.tokens.plan import check_plan, check_searchable, check_tokens

RequestedPlan = Plan | Literal["auto"]


def check_plans(plans: tuple[RequestedPlan, ...], model: Model, data: RunData) -> None:
    """Refuses token plans that a model cannot carry out.

    Raises:
        UsageError: says which and why.
    """
    for plan in plans:
        if plan != AUTO:
            _check_named(plan, model)
            continue
        _check_search(model)
        if data.evaluation is None and data.calibration is None:
            raise UsageError(
                "--tokens auto needs images to see what plans lose", "give --data, best with labels, or --calibration"
            )


def _check_named(plan: Plan, model: Model) -> None:
    if model.preprocessing.input == "array" and (isinstance(plan, ResizePlan) or plan.resized):
        raise UsageError(
            f"{plan} needs images, which are resized, and {model.name} takes arrays as they are",
            "give a plan that removes tokens alone, such as evit:0.7",
        )
    check_plan(model.module, plan, model.preprocessing.input_size)


def _check_search(model: Model) -> None:
    check = check_tokens if model.preprocessing.input == "array" else check_searchable
    check(model.module, model.preprocessing.input_size)
