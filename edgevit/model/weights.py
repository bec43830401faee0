"""Loads weights into a module: finds them in the file, says which were taken, and refuses what does not fit or is not finite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn

from edgevit.errors import UsageError
from edgevit.model.checkpoint import FORM, StateDict, read_file, state_dicts, without_counters
from edgevit.model.quantized import refuse_quantized_file, shortened

Adapt: TypeAlias = Callable[[StateDict], StateDict]
"""Makes the tensors of a file fit a model that differs from the one that they were saved from."""


def load_weights(
    module: nn.Module,
    path: Path,
    *,
    no_ema: bool = False,
    without: tuple[str, ...] = (),
    adapt: Adapt | None = None,
) -> tuple[str, ...]:
    """Loads the weights of a file, strictly: every tensor of the module, and none that it lacks.

    Args:
        module: Float model; left as it is when the weights are refused.
        path: safetensors, or a torch file; the usual layouts of training tools are read, see
            :mod:`edgevit.model.checkpoint`.
        no_ema: Take the raw weights of a file that has averaged ones (EMA) too.
        without: Modules that the model does not have, such as the classifier of a backbone, and whose tensors are not read.
        adapt: Applied to each state dict of the file before it is compared with the module's.

    Returns:
        What has to be known of the choice, one sentence each; empty for a file that holds nothing else.

    Raises:
        UsageError: the file cannot be read, holds code, is of a quantized model, does not fit, or holds several models;
            missing, unexpected and mis-shaped keys are listed.
    """
    own = module.state_dict()
    found = tuple(_without(state, without) for state in state_dicts(read_file(path), own))
    found = tuple(map(adapt, found)) if adapt else found
    if not found:
        raise UsageError(f"{path} does not hold a state dict of tensors", FORM)
    fitting = [state for state in found if not _complaints(without_counters(state, own), own)]
    if not fitting:
        alike = "with the same width, depth and patches" if adapt else "with the same number of classes and input size"
        _refuse(found, module, path, f"is it the same architecture, {alike}?")
    chosen = _choose(fitting, found, path, no_ema=no_ema)
    refuse_quantized_file(chosen.values, module, str(path))
    module.load_state_dict(without_counters(chosen, own))
    return tuple(_notes(chosen, found, path))


def _without(state: StateDict, modules: tuple[str, ...]) -> StateDict:
    lost = tuple(key for key in state.values if key.startswith(tuple(f"{name}." for name in modules)))
    if not lost:
        return state
    kept = {key: value for key, value in state.values.items() if key not in lost}
    return replace(state, values=kept, left_out=(*state.left_out, *lost))


def _choose(fitting: Sequence[StateDict], found: Sequence[StateDict], path: Path, *, no_ema: bool) -> StateDict:
    """The state dict to take: averaged weights before raw ones, unless they are not wanted."""
    lost = [state.place for state in found if state.averaged and state not in fitting]
    if lost and not no_ema and not any(state.averaged for state in fitting):
        raise UsageError(
            f"{path} holds averaged weights ({lost[0]}) that do not fit the model, beside others that do",
            "give --no-ema to take the others",
        )
    averaged = [state for state in fitting if state.averaged]
    raw = [state for state in fitting if not state.averaged]
    chosen = raw if no_ema and raw else averaged or raw
    others = [state for state in chosen[1:] if not _same(state, chosen[0])]
    if others:
        places = ", ".join(state.place or "the file itself" for state in (chosen[0], *others))
        raise UsageError(f"{path} holds several models that fit: {places}", f"save the one that is meant alone: {FORM}")
    return chosen[0]


def _same(one: StateDict, other: StateDict) -> bool:
    return all(
        key in other.values and torch.equal(value, other.values[key])
        for key, value in one.values.items()
        if isinstance(value, torch.Tensor)
    )


def _notes(chosen: StateDict, found: Sequence[StateDict], path: Path) -> Iterator[str]:
    if chosen.averaged:
        raw = any(not state.averaged for state in found)
        yield f"{path}: the averaged weights (EMA) {chosen.place} are taken" + (
            "; --no-ema takes the others" if raw else ""
        )
    elif any(state.averaged for state in found):
        yield f"{path}: the raw weights {chosen.place} are taken, not the averaged ones (EMA)"
    elif chosen.place:
        yield f"{path}: the weights are taken from {chosen.place}"
    if chosen.left_out:
        beside = f" beside {chosen.place}" if chosen.place else ""
        yield f"{path}: {len(chosen.left_out)} tensors{beside} are not read: {shortened(chosen.left_out)}"
    yield from (f"{path}: {change}" for change in chosen.changes)


def _refuse(found: Sequence[StateDict], module: nn.Module, path: Path, hint: str) -> None:
    """Says why the weights do not fit: those that come nearest.

    Raises:
        UsageError: always.
    """
    own = module.state_dict()
    nearest = max(found, key=lambda state: len(own.keys() & state.values.keys()))
    refuse_quantized_file(nearest.values, module, str(path))
    values = without_counters(nearest, own)
    if not all(isinstance(value, torch.Tensor) for value in values.values()):
        raise UsageError(f"{path} does not hold a state dict of tensors", FORM)
    where = f" ({nearest.place})" if nearest.place else ""
    raise UsageError(
        f"{path}{where} does not fit the model:\n  " + "\n  ".join(_complaints(values, own)),
        hint,
    )


def _complaints(values: Mapping[str, Any], own: Mapping[str, torch.Tensor]) -> list[str]:
    """Why values are not those of a model; empty if they are."""
    shared = sorted(own.keys() & values.keys())
    shaped = [key for key in shared if isinstance(values[key], torch.Tensor) and values[key].shape != own[key].shape]
    listings = (
        _listing("missing", sorted(own.keys() - values.keys())),
        _listing("unexpected", sorted(values.keys() - own.keys())),
        _listing(
            "of another shape", [f"{key} {list(values[key].shape)}, not {list(own[key].shape)}" for key in shaped]
        ),
        _listing(
            "of another kind",
            [
                f"{key} ({kind})"
                for key in shared
                if key not in shaped and (kind := _other_kind(values[key], own[key])) is not None
            ],
        ),
    )
    return list(filter(None, listings))


def _other_kind(value: Any, own: torch.Tensor) -> str | None:
    """What a value is if it cannot be a weight of a model, whose own is ``own``; None if it can."""
    if not isinstance(value, torch.Tensor):
        return type(value).__name__
    if value.is_meta:
        return "a tensor without values (meta)"
    if value.layout != torch.strided:
        return f"sparse, {value.layout}"
    if value.is_quantized or value.is_complex() != own.is_complex():
        return str(value.dtype)
    if own.is_floating_point() and not value.is_floating_point():
        return f"{value.dtype}, not {own.dtype}"
    if not own.is_floating_point() and value.is_floating_point() and not torch.equal(value, value.round()):
        return f"{value.dtype} with fractions, not {own.dtype}"
    return None


def refuse_non_finite(module: nn.Module, where: str) -> None:
    """Refuses weights with NaN or infinity, which no quantizer can give a scale.

    A buffer may hold minus infinity, as attention masks do, unless it is a running statistic.

    Args:
        module: After its weights were loaded, in float32.
        where: Source of the weights, for the message.

    Raises:
        UsageError: names the first tensors and says how many of their values are affected.
    """
    parameters = dict(module.named_parameters(remove_duplicate=False))
    broken = []
    for name, tensor in module.state_dict().items():
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            continue
        wrong = ~torch.isfinite(tensor)
        if name not in parameters and "running_" not in name.rpartition(".")[2]:
            wrong &= ~torch.isneginf(tensor)
        count = int(wrong.sum())
        if count:
            broken.append(f"{name} ({count} of {tensor.numel()} values)")
    if broken:
        raise UsageError(
            f"{where}: NaN or infinity in {len(broken)} tensors: {shortened(broken)}",
            "the training diverged, or the file was cast to a type too narrow: give an earlier or the original checkpoint",
        )


def refuse_unusual_storage(module: nn.Module, where: str) -> None:
    """Refuses tensors without values (of the meta device), sparse ones and complex ones.

    Args:
        module: After its weights were loaded.
        where: Source of the weights, for the message.

    Raises:
        UsageError: names the first.
    """
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        kind = (
            "on the meta device, so it has no values"
            if tensor.is_meta
            else f"{str(tensor.layout).removeprefix('torch.')}, not dense"
            if tensor.layout is not torch.strided
            else str(tensor.dtype).removeprefix("torch.")
            if tensor.is_complex()
            else ""
        )
        if kind:
            raise UsageError(f"{where}: {name} is {kind}", "give a model whose weights are dense, real tensors")


def _listing(title: str, keys: list[str]) -> str:
    return f"{title} ({len(keys)}): {shortened(keys, 8)}" if keys else ""
