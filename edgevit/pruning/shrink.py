"""Builds the smaller module: a copy in which only some units are left, that is captured and exported like any other."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from edgevit.model.program.copies import copy_with_shared_weights
from edgevit.pruning.refit import Reader
from edgevit.pruning.units import Group

Layer = TypeVar("Layer", bound=nn.Module)


def shrink(module: nn.Module, kept: Mapping[Group, Sequence[int]], readers: Mapping[str, Reader]) -> nn.Module:
    """Returns a copy of a model with some units of its groups; ``module`` stays as it is.

    Args:
        module: In eval mode.
        kept: The units that stay, ascending, by group; of other groups all do.
        readers: New weights of the layers that read them, by name; others keep those that they have for the units that stay.

    Returns:
        Its weights are shared with those of ``module`` where nothing leaves.
    """
    smaller = copy_with_shared_weights(module)
    for group, units in kept.items():
        part: Any = smaller.get_submodule(group.name)
        _SHRINKERS[group.kind](part, group, list(units))
        if group.reader in readers:
            set_weights(smaller.get_submodule(group.reader), readers[group.reader])
    return smaller


def read_weights(module: nn.Module, name: str) -> Reader:
    """Returns the weights of a linear layer or pointwise convolution."""
    layer: Any = module.get_submodule(name)
    weight = layer.weight.detach().double().flatten(1).numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().numpy()
    return Reader(weight, bias)


def with_widths(module: nn.Module, widths: Mapping[Group, int]) -> nn.Module:
    """Returns a copy of a model of the shapes that some pruned one has, for its weights to be loaded into.

    Args:
        module: Was pruned.
        widths: Units that are left, by group.
    """
    kept = {group: range(width) for group, width in widths.items()}
    biased = {group.reader: _first_inputs(read_weights(module, group.reader), group, kept[group]) for group in widths}
    return copy.deepcopy(shrink(module, kept, biased))


def _first_inputs(reader: Reader, group: Group, units: Sequence[int]) -> Reader:
    return Reader(reader.weight[:, group.inputs(units)], reader.bias)


def _shrink_mlp(part: Any, group: Group, units: list[int]) -> None:
    part.fc1 = _sliced(part.fc1, outputs=units)
    part.fc2 = _sliced(part.fc2, inputs=units)


def _shrink_attention(part: Any, group: Group, units: list[int]) -> None:
    inputs = group.inputs(units)
    part.qkv = _sliced(part.qkv, outputs=[place * part.attn_dim + each for place in range(3) for each in inputs])
    part.proj = _sliced(part.proj, inputs=inputs)
    part.num_heads, part.attn_dim = len(units), len(inputs)


def _shrink_residual(part: Any, group: Group, units: list[int]) -> None:
    part.conv_pw = _sliced(part.conv_pw, outputs=units)
    part.bn1 = _sliced_norm(part.bn1, units)
    part.conv_dw = _sliced(part.conv_dw, outputs=units)
    part.conv_dw.in_channels = part.conv_dw.groups = len(units)
    part.bn2 = _sliced_norm(part.bn2, units)
    part.conv_pwl = _sliced(part.conv_pwl, inputs=units)


_SHRINKERS = {"mlp": _shrink_mlp, "heads": _shrink_attention, "channels": _shrink_residual}


def _sliced(layer: Layer, *, outputs: list[int] | None = None, inputs: list[int] | None = None) -> Layer:
    """A copy of a linear layer or convolution with some of its outputs or inputs."""
    smaller: Any = copy.deepcopy(layer)
    if outputs is not None:
        smaller.weight = nn.Parameter(smaller.weight.detach()[outputs])
        if smaller.bias is not None:
            smaller.bias = nn.Parameter(smaller.bias.detach()[outputs])
        _set(smaller, ("out_features", "out_channels"), len(outputs))
    if inputs is not None:
        smaller.weight = nn.Parameter(smaller.weight.detach()[:, inputs])
        _set(smaller, ("in_features", "in_channels"), len(inputs))
    return smaller  # type: ignore[no-any-return]


def _sliced_norm(norm: Layer, channels: list[int]) -> Layer:
    smaller: Any = copy.deepcopy(norm)
    for name, value in (*norm.named_parameters(recurse=False), *norm.named_buffers(recurse=False)):
        if value.dim() == 1:
            sliced = value.detach()[channels]
            setattr(smaller, name, nn.Parameter(sliced) if isinstance(value, nn.Parameter) else sliced)
    smaller.num_features = len(channels)
    return smaller  # type: ignore[no-any-return]


def _set(layer: nn.Module, names: tuple[str, ...], value: int) -> None:
    """Sets the one of several attributes that a layer has."""
    for name in names:
        if hasattr(layer, name):
            setattr(layer, name, value)


def set_weights(layer: Any, reader: Reader) -> None:
    """Gives a linear layer or pointwise convolution other weights, and a bias."""
    layer.weight = nn.Parameter(_float(reader.weight).reshape(layer.weight.shape), requires_grad=False)
    layer.bias = nn.Parameter(_float(reader.bias), requires_grad=False)


def _float(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
