"""Reads files of weights in the layouts that training tools write, and finds the tensors of a model in them.

Nothing but tensors and plain values is read: ``weights_only=True``, with the few plain classes that training scripts put
beside their weights. A file that needs more is refused; its code is never run.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from edgevit.errors import UsageError, first_line
from edgevit.model.quantized import refuse_quantized_pickle
from edgevit.spec.input_file import require_file

_BROKEN_FILE = (
    OSError, RuntimeError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, AssertionError, struct.error,
    AttributeError, MemoryError, pickle.UnpicklingError, SafetensorError,
)  # fmt: skip
"""What torch and safetensors raise on a file that is damaged or no file of weights."""

FORM = "write it with torch.save(model.state_dict(), FILE), or as safetensors"
_DEEPEST = 4
"""Levels of nesting at which a state dict is looked for."""
_AVERAGED = re.compile(r"(^|[._])(ema|swa|averaged?)([._]|$)")
"""Names of averaged weights: "state_dict_ema", "model_ema", "ema_model", "params_ema", "swa_state"."""
_COMPILED = "_orig_mod."
"""What ``torch.compile`` puts into every key."""
_COUNTERS = ("total_ops", "total_params")
"""What thop leaves in every module."""
_NOT_NEEDED = "num_batches_tracked"
"""Of batch normalization; inference does not read it, and old files lack it."""
_GLOBAL = re.compile(r"GLOBAL (\S+) (?:was|whose)")
"""Name of a class or function in torch's message."""


@dataclass(frozen=True)
class StateDict:
    """Tensors of one model, by name, and where in the file they are."""

    place: str
    """Keys that lead to them, and the prefix that all of theirs have: "state_dict_ema", "state_dict: model."; "" for a
    file that holds nothing else."""
    averaged: bool
    """Whether they are averages over training, such as EMA."""
    values: Mapping[str, Any]
    left_out: tuple[str, ...] = ()
    """Keys beside them that belong to something else."""
    changes: tuple[str, ...] = ()
    """What was made of them for a model that differs from the one that was saved."""


def read_file(path: Path) -> Any:
    """Reads what is in a file of weights.

    Args:
        path: safetensors, or a torch file.

    Raises:
        UsageError: it is missing, cannot be read, holds code, or is of a quantized model.
    """
    require_file(path, "weights file", "give a safetensors file, or a torch file that holds a state dict")
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(str(path))
        with torch.serialization.safe_globals(_plain_classes()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN_FILE as error:
        refuse_quantized_pickle(error, str(path))
        raise _unreadable(path, error) from error


def state_dicts(document: Any, own: Mapping[str, torch.Tensor]) -> tuple[StateDict, ...]:
    """Returns every part of a file that could be the weights of a model.

    Args:
        document: What :func:`read_file` returned.
        own: State dict of the model: tensors [...] of any shape.

    Returns:
        The whole mappings of tensors first; then, for one whose keys have the names of the model after a prefix, such as
        "model." or "module.", what is behind each such prefix.
    """
    whole = tuple(_mappings(document, ()))
    return (*whole, *(part for one in whole for part in _behind_prefixes(one, own)))


def _plain_classes() -> list[Any]:
    """Classes without code of their own that training scripts save beside weights."""
    import pathlib

    import numpy as np

    scalars = [np.dtype, np.ndarray, *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "u1", "?"))]
    with contextlib.suppress(ImportError, AttributeError):
        from numpy._core.multiarray import _reconstruct, scalar

        names = [(scalar, "numpy.core.multiarray.scalar"), (_reconstruct, "numpy.core.multiarray._reconstruct")]
        scalars += [scalar, _reconstruct, *names]
    plain = [dict, list, tuple, set, frozenset, int, float, bool, str]
    return [argparse.Namespace, pathlib.PosixPath, *plain, *scalars]


def _unreadable(path: Path, error: BaseException) -> UsageError:
    text = str(error)
    if "TorchScript" in text:
        return UsageError(f"{path} holds a TorchScript program, not a state dict", FORM)
    if "weights_only" in text.lower() or "Weights only" in text:
        found = _GLOBAL.findall(text)
        what = f"{found[0]}, a class of a program" if found else "more than tensors"
        return UsageError(
            f"cannot read weights from {path}: it holds {what}; to read it would run code of that file",
            "where it was made, save the tensors alone: torch.save(model.state_dict(), FILE), or as safetensors",
        )
    return UsageError(f"cannot read weights from {path}: {type(error).__name__}: {first_line(error)}", FORM)


def _mappings(value: Any, place: tuple[str, ...]) -> Iterator[StateDict]:
    """The mappings in a document that hold tensors by name, outermost first."""
    if isinstance(value, argparse.Namespace) or not isinstance(value, Mapping) or len(place) > _DEEPEST:
        return
    named = {str(key): one for key, one in value.items()}
    if any(isinstance(one, torch.Tensor) for one in named.values()) or (not place and not named):
        tensors = {key.replace(_COMPILED, ""): one for key, one in named.items() if not isinstance(one, Mapping)}
        averaged = any(_AVERAGED.search(key) for key in place)
        yield StateDict(": ".join(place), averaged, {key: one for key, one in tensors.items() if key != "n_averaged"})
    for key, one in named.items():
        yield from _mappings(one, (*place, key))


def _behind_prefixes(whole: StateDict, own: Mapping[str, torch.Tensor]) -> Iterator[StateDict]:
    needed = [key for key in own if not key.endswith(_NOT_NEEDED)]
    if not needed:
        return
    probe = max(needed, key=len)
    for key in whole.values:
        prefix = key.removesuffix(probe)
        if not key.endswith(f".{probe}") or not all(prefix + name in whole.values for name in needed):
            continue
        inside = {name.removeprefix(prefix): one for name, one in whole.values.items() if name.startswith(prefix)}
        outside = tuple(name for name in whole.values if not name.startswith(prefix))
        place = f"{whole.place}: {prefix}" if whole.place else prefix
        yield StateDict(place, whole.averaged or bool(_AVERAGED.search(prefix)), inside, outside)


def without_counters(state: StateDict, own: Mapping[str, torch.Tensor]) -> Mapping[str, Any]:
    """Returns the values of a state dict without what inference does not need, and with what it lacks of that.

    Args:
        state: As found in a file.
        own: State dict of the model: tensors [...] of any shape; it has the number of batches that old files lack.
    """
    values = {key: one for key, one in state.values.items() if key in own or key.rpartition(".")[2] not in _COUNTERS}
    return {**{key: one for key, one in own.items() if key.endswith(_NOT_NEEDED)}, **values}
