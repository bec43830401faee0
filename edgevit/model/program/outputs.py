"""Outputs of modules and programs: one tensor of a classifier, or a mapping of named tensors of any other model.

A program keeps the names: its output is a dict, which ``torch.export`` stores with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from edgevit.errors import UsageError
from edgevit.results.output import LOGITS, Output

ModelOutput: TypeAlias = Tensor | dict[str, Tensor]
"""Logits [n, classes], or each output [n, ...] by name."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")
_INPUT = "input"
"""Name of the input of every artifact."""


class NamedOutputs(nn.Module):
    """A module whose outputs have names and no nesting."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: Tensor) -> dict[str, Tensor]:
        """Returns the outputs for images float32 [n, 3, h, w]: each [n, ...]."""
        return named_tensors(self.module(input))


class OnlyLogits(nn.Module):
    """A classifier that returns its logits in a mapping, as models of transformers do, without the mapping."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, input: Tensor) -> Tensor:
        """Returns logits [n, classes] for images float32 [n, 3, h, w]."""
        return named_tensors(self.module(input))[LOGITS]


def unwrapped(module: nn.Module) -> nn.Module:
    """Returns the module that one with named outputs, or with logits alone, runs; any other as it is."""
    return module.module if isinstance(module, NamedOutputs | OnlyLogits) else module


def named_tensors(value: Any) -> dict[str, Tensor]:
    """Returns all tensors in what a module returned, by name, in their order.

    A single tensor is called "output"; those of a mapping, a named tuple or a dataclass have the names of its keys or fields, those
    of a list "output_0", "output_1"; the names of nested ones are joined by "_". None is no output.

    Args:
        value: Tensors, each [n, ...], in any nesting of these.

    Raises:
        UsageError: there are none, or a value among them is no tensor, or two would have the same name.
    """
    named: dict[str, Tensor] = {}
    for place, tensor in _tensors(value, ()):
        name = _name(place)
        if not isinstance(tensor, Tensor):
            raise UsageError(
                f"the model returns a {type(tensor).__name__} as its output {name}", "let it return tensors alone"
            )
        if name in named or name == _INPUT:
            what = "is the name of its input too" if name == _INPUT else "is the name of two"
            raise UsageError(f"of the outputs of the model, {name} {what}", "call the outputs otherwise")
        named[name] = tensor
    if not named:
        raise UsageError("the model returns no tensor", "let it return one, or several by name")
    return named


def outputs_of(value: Any) -> tuple[Output, ...]:
    """Returns the name and shape of each output of a model that is no classifier.

    Args:
        value: What it returned for one image.

    Raises:
        UsageError: an output has no axis of the batch, or no real numbers.
    """
    found = []
    for name, tensor in named_tensors(value).items():
        if tensor.ndim < 1 or tensor.shape[0] != 1:
            raise UsageError(
                f'the output "{name}" of the model is {list(tensor.shape)} for one image, without an axis of the batch',
                "let it return [n, ...] for n images, of a shape that does not depend on them",
            )
        if not tensor.is_floating_point() or not tensor.numel():
            raise UsageError(
                f'the output "{name}" of the model is {str(tensor.dtype).removeprefix("torch.")} {list(tensor.shape)},'
                " which cannot be compared as real values",
                "let it return what that is computed from, such as the logits before an argmax",
            )
        found.append(Output(name, tuple(tensor.shape[1:])))
    return tuple(found)


def as_rows(value: ModelOutput) -> Tensor:
    """Returns all values of each image in one row: logits as they are, other outputs one after the other.

    Args:
        value: Logits [n, classes], or each output [n, ...] by name.

    Returns:
        [n, values].
    """
    if isinstance(value, Tensor):
        return value
    return torch.cat([output.flatten(1) for output in value.values()], 1)


def largest_difference(found: ModelOutput, expected: ModelOutput) -> float:
    """Returns the largest difference of an output, relative to the largest value of that output; NaN where one is NaN.

    Args:
        found: Of any float dtype.
        expected: Of the same model.
    """
    ours, theirs = (value if isinstance(value, dict) else {LOGITS: value} for value in (found, expected))
    differences = [_relative(ours[name], expected) for name, expected in theirs.items()]
    return math.nan if any(map(math.isnan, differences)) else max(differences)


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-30))


def _tensors(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, inner in _parts(value):
        yield from _tensors(inner, (*place, key))
    if not _is_nested(value) and value is not None:
        yield place, value


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, tuple | list):
        names = getattr(value, "_fields", None) or [str(index) for index in range(len(value))]
        yield from zip(names, value, strict=True)
    elif _is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | tuple | list) or _is_dataclass(value)


def _is_dataclass(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type | Tensor)


def _name(place: tuple[str, ...]) -> str:
    text = _NOT_IN_NAMES.sub("_", "_".join(place)).strip("_")
    if not text or text[0].isdigit():
        return f"output_{text}" if text else "output"
    return text
