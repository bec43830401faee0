"""A start from weights of another number of classes or another input size: a new classifier, resampled position tables."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from torch import Tensor, nn

from edgevit.distillation.distillation_token import with_token_values
from edgevit.model.checkpoint import StateDict
from edgevit.model.load import classifier_modules
from edgevit.model.program.outputs import unwrapped
from edgevit.model.quantized import shortened
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas
from edgevit.model.weights import load_weights

_POSITION_TABLE = re.compile(r"(^|[._])pos(ition)?_embed(ding)?s?$")
_PREFIX_TOKENS = (1, 0, 2, 5)
"""How many tokens without a place in the image a position table may begin with, the usual number first."""
_NOT_OF_THE_ARCHITECTURE = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError)
"""What timm's functions raise on tensors that they do not expect."""
_Changed: TypeAlias = tuple[dict[str, Tensor], list[str]]
"""Tensors, and what was changed, one sentence each."""


def load_start_weights(module: nn.Module, path: Path, *, no_ema: bool = False) -> tuple[str, ...]:
    """Loads the weights of a file into a student that may have other classes or another input size.

    A classifier of another number of classes stays as the module initialized it. Position tables, relative ones too, are
    resampled by timm's own function for the architecture. Whatever else does not fit is refused.

    Args:
        module: Float model with initialized weights, left as it is when the weights are refused.
        path: safetensors, or a torch file, see :func:`edgevit.model.weights.load_weights`.
        no_ema: Take the raw weights of a file that has averaged ones (EMA) too.

    Returns:
        What has to be known of the choice and was changed, one sentence each.

    Raises:
        UsageError: the file cannot be read, holds code, is of a quantized model, does not fit, or holds several models;
            missing, unexpected and mis-shaped keys are listed.
    """
    return load_weights(module, path, no_ema=no_ema, adapt=lambda state: _adapted(state, unwrapped(module)))


def _adapted(state: StateDict, module: nn.Module) -> StateDict:
    if not all(isinstance(value, Tensor) for value in state.values.values()):
        return state
    own = module.state_dict()
    values, token = _with_token(state.values, own, module)
    resampled = _resampled(values, own, module)
    moved = [
        f"{name} {list(values[name].shape)} to {list(value.shape)}"
        for name, value in resampled.items()
        if name in values and value.shape != values[name].shape
    ]
    fitted, heads = _with_new_classifiers(resampled, own, module)
    sizes = [f"resampled for another input or patch size: {shortened(moved)}"] if moved else []
    return replace(state, values=fitted, changes=(*state.changes, *token, *sizes, *heads))


def _with_token(values: Mapping[str, Tensor], own: Mapping[str, Tensor], module: nn.Module) -> _Changed:
    """The weights of a plain vision transformer, for a student that has a distillation token."""
    is_plain = "dist_token" not in values and {"cls_token", "pos_embed"} <= values.keys()
    if "dist_token" not in own or not is_plain:
        return dict(values), []
    has_class_position = not getattr(module, "no_embed_class", False)
    given = with_token_values(values, has_class_position=has_class_position)
    return given, ["the distillation token and its head begin as copies of the class token and its head"]


def _resampled(values: dict[str, Tensor], own: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """The tensors, those that depend on the input size in the shape of the module's where they can be resampled to it."""
    ensure_torchvision_schemas()
    of_architecture = type(module).__module__
    if of_architecture.startswith("timm."):
        resample = getattr(sys.modules[of_architecture], "checkpoint_filter_fn", None)
        with suppress(*_NOT_OF_THE_ARCHITECTURE):  # what does not fit is listed by the caller
            return dict(resample(dict(values), module)) if resample else values
        return values
    return {name: _resampled_table(name, value, own.get(name)) for name, value in values.items()}


def _resampled_table(name: str, table: Tensor, own: Tensor | None) -> Tensor:
    """A position table [1, positions, width] of any model, resampled to the number of positions of the module's."""
    from timm.layers import resample_abs_pos_embed

    if own is None or not _POSITION_TABLE.search(name) or table.shape == own.shape or table.ndim != 3 or own.ndim != 3:
        return table
    for prefix in _PREFIX_TOKENS:
        old, new = table.shape[1] - prefix, own.shape[1] - prefix
        if table.shape[2] == own.shape[2] and math.isqrt(old) ** 2 == old and math.isqrt(new) ** 2 == new:
            resampled: Tensor = resample_abs_pos_embed(table, [math.isqrt(new)] * 2, num_prefix_tokens=prefix)
            return resampled
    return table


def _with_new_classifiers(values: dict[str, Tensor], own: Mapping[str, Tensor], module: nn.Module) -> _Changed:
    """The tensors, and those of the module itself for classifiers that the file has for other classes, or lacks."""
    fitted, changes = dict(values), []
    last = next(reversed(tuple(own)), "").rpartition(".")[0]
    for name in classifier_modules(module) or (last,):
        mine = {key: value for key, value in own.items() if key.startswith(f"{name}.")}
        theirs = {key: values[key] for key in mine if key in values}
        if not mine or (theirs and not _is_for_other_classes(theirs, mine)):
            continue
        fitted.update(mine)
        classes = f"one for {len(next(iter(theirs.values())))}" if theirs else "none"
        changes.append(
            f"a new classifier ({name}) for {len(next(iter(mine.values())))} classes: the file has {classes}"
        )
    return fitted, changes


def _is_for_other_classes(theirs: Mapping[str, Tensor], mine: Mapping[str, Tensor]) -> bool:
    """Whether tensors are those of a classifier, but for another number of classes."""
    return theirs.keys() == mine.keys() and all(
        len(value) != len(mine[key]) and value.shape[1:] == mine[key].shape[1:]
        for key, value in theirs.items()
        if value.ndim and mine[key].ndim
    )
