"""Token plans that a spec asks for, checked against the model."""

from __future__ import annotations

from typing import Literal

from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.spec.token_plan import AUTO, Plan
from edgevit.tokens.plan import check_plan, check_searchable

RequestedPlan = Plan | Literal["auto"]


def check_plans(plans: tuple[RequestedPlan, ...], model: Model, data: RunData) -> None:
    """Refuses token plans that a model cannot carry out.

    Raises:
        UsageError: says which and why.
    """
    for plan in plans:
        if plan != AUTO:
            check_plan(model.module, plan, model.preprocessing.input_size)
        else:
            check_searchable(model.module, model.preprocessing.input_size)
            if data.evaluation is None and data.calibration is None:
                raise UsageError(
                    "--tokens auto needs images to see what plans lose",
                    "give --data, best with labels, or --calibration",
                )
