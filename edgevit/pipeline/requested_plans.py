"""Token plans that a spec asks for, checked against the model."""

from __future__ import annotations

from typing import Literal

from edgevit.data.sampling import RunData
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.pruning.sub_network import check_plain
from edgevit.pruning.units import KINDS, Kind, find_groups, require_groups
from edgevit.spec.pruning_plan import PruningPlan
from edgevit.spec.token_plan import AUTO, Plan, ResizePlan
from edgevit.tokens.plan import check_plan, check_searchable, check_tokens

RequestedPlan = Plan | Literal["auto"]
_LEAST_IMAGES = 12
"""To prune by: a third of them measures changes."""

RequestedPruning = PruningPlan | Literal["auto"]


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


def check_pruning(pruning: RequestedPruning | None, model: Model, data: RunData) -> None:
    """Refuses a pruning plan that a model cannot carry out.

    Raises:
        UsageError: the model has no such units, or so few heads, or there are no images to refit with.
    """
    if pruning is None:
        return
    if data.calibration is None:
        raise UsageError(
            "--prune refits what is left on images, which need no labels",
            "give --calibration: a source, or a part such as 20%",
        )
    if len(data.calibration) < _LEAST_IMAGES:
        raise UsageError(
            f"--prune refits what is left on images, and {len(data.calibration)} are too few",
            f"give {_LEAST_IMAGES} calibration images at least, better hundreds",
        )
    if pruning == AUTO:
        if not pruned_by_auto(model):
            require_groups(model.module, "mlp")  # says what there is
        return
    if pruning.macs is not None:
        check_plain(model.module)
        if model.preprocessing.input == "array":
            raise UsageError(
                "--prune macs=… may make images smaller, and arrays are not resized", "give mlp=… or heads=…"
            )
        return
    for kind in KINDS:
        if getattr(pruning, kind) is not None:
            groups = require_groups(model.module, kind)
            most = sum(group.units - 1 for group in groups)
            if kind == "heads" and pruning.heads is not None and pruning.heads > most:
                raise UsageError(
                    f"--prune heads={pruning.heads}: at most {most} can leave, as one of each part stays", "give fewer"
                )


def pruned_by_auto(model: Model) -> Kind | None:
    """Returns the units that "auto" prunes: hidden units of MLPs, else expanded channels; None where there are none."""
    kinds: tuple[Kind, ...] = ("mlp", "channels")
    return next((kind for kind in kinds if find_groups(model.module, kind)), None)
