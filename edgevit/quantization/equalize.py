"""Moves the ranges of channels from one layer to the next, so that one int8 grid fits them all; the logits stay.

Scaling a channel by 1/s where it is made and by s where it is read changes nothing, as long as all that lies between
passes a positive factor through. int8 has one scale for a whole activation, and one for a row of weights: channels
of like range use more of it.

Sources: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019 (layer to layer);
Xiao et al., "SmoothQuant", 2022, and Li et al., "RepQ-ViT", 2023 (layer normalization to layer).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram

from edgevit.errors import CandidateFailed
from edgevit.model.program.layers import (
    LINEAR,
    Layer,
    argument,
    constant,
    export_again,
    find_layers,
    run_images,
    set_parameters,
)
from edgevit.quantization.channels import Reach, follow

TOLERANCE = 1e-5
"""Largest difference that equalization may make, relative to the largest logit (it is float32 rounding)."""
_SWEEPS = 100
_CONVERGED = 1e-4  # largest relative change of a channel in a sweep
_BIAS_SHARE = 30.0
"""A row's range is at least its bias by this. Batch normalization leaves channels with a bias and next to no weights,
which would grow until they alone fill the activation's grid; among trained rows the ratio is rarely above 30."""
_NORM = torch.ops.aten.layer_norm.default


@dataclass(frozen=True)
class Equalized:
    """An equalized program."""

    program: ExportedProgram
    pairs: int
    """How many layers or layer normalizations were equalized, each with all layers that read it."""
    skipped: Mapping[str, int]
    """How many were not, by the ops that prevent it: hardtanh (ReLU6), gelu, add (a residual)."""


@dataclass(frozen=True)
class _Pair:
    """What makes some channels, and the layers that read them."""

    source: fx.Node
    reach: Reach
    channels: int


def equalize(program: ExportedProgram, images: np.ndarray) -> Equalized:
    """Equalizes every pair of a layer, or layer normalization, and the layers that alone read its channels.

    Between them may lie ReLU, pooling, and whatever only moves elements; attention too, for the channels that become
    its values, for it sums those over tokens. A channel that anything else reads stays as it is.

    With r1 the range of a channel where it is made (largest weight of its row, or a 30th of its bias; after a layer
    normalization largest absolute value over the images) and r2 where it is read (largest weight), s = sqrt(r1 / r2),
    so that both ranges become sqrt(r1 r2): Nagel's rule, and SmoothQuant's with alpha 0.5. After a layer normalization
    the geometric mean of s is 1. All pairs are balanced repeatedly until no scale changes.

    Args:
        program: One input, float32 [1, 3, h, w], one output, logits [1, classes]; left untouched.
        images: float32 [n, 3, h, w], preprocessed.

    Raises:
        CandidateFailed: the logits changed by more than :data:`TOLERANCE`, or are not finite.
        UsageError: there are no images, or the program has no example inputs.
    """
    module = program.module()
    layers = {layer.node: layer for layer in find_layers(module)}
    norms = [node for node in module.graph.nodes if _is_norm(module, node)]
    pairs, skipped = _find_pairs(module, layers, norms)
    peaks: dict[fx.Node, torch.Tensor] = {}

    def see(node: fx.Node, _: torch.Tensor, made: torch.Tensor) -> None:
        peak = made.abs().flatten(0, -2).amax(0)
        peaks[node] = peak if node not in peaks else torch.maximum(peaks[node], peak)

    expected = run_images(module, images, norms, see)
    if not pairs:
        return Equalized(program, 0, skipped)
    scales = _Scales(layers, peaks)
    for _ in range(_SWEEPS):
        if max([scales.balance(pair) for pair in pairs]) <= _CONVERGED:
            break
    scales.write(module)
    equalized = export_again(module, program)
    actual = run_images(equalized.module(), images)
    difference = float((actual - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= TOLERANCE:
        raise CandidateFailed(
            f"equalization changed the logits by {difference:.1e} (relative); float32 rounding is under {TOLERANCE:.0e}"
        )
    return Equalized(equalized, len(pairs), skipped)


def _is_norm(module: fx.GraphModule, node: fx.Node) -> bool:
    """Returns whether a node is a layer normalization over the last axis alone, with constant parameters or none."""
    if node.op != "call_function" or node.target is not _NORM or len(cast(list[int], node.args[1])) != 1:
        return False
    parameters = (argument(node, 2, "weight"), argument(node, 3, "bias"))
    return all(parameter is None or constant(module, parameter) is not None for parameter in parameters)


def _find_pairs(
    module: fx.GraphModule, layers: Mapping[fx.Node, Layer], norms: list[fx.Node]
) -> tuple[list[_Pair], dict[str, int]]:
    """Returns all pairs with a channel that may be scaled, and the number of other sources by what prevents it."""
    pairs, skipped = [], Counter[str]()
    for node in module.graph.nodes:
        if node in layers:
            axis, channels = (-1 if node.target is LINEAR else -layers[node].weight.ndim + 1), len(layers[node].weight)
        elif node in norms:
            axis, channels = -1, cast(list[int], node.args[1])[0]
        else:
            continue
        reach = follow(module, node, axis, channels)
        if reach.readers and reach.free.any():
            pairs.append(_Pair(node, reach, channels))
        elif obstacle := ", ".join(sorted(set(reach.obstacles) - {"output"})):
            skipped[obstacle] += 1
    return pairs, dict(skipped)


class _Scales:
    """What each channel is to be divided by where it is made, and multiplied with where it is read; float64."""

    def __init__(self, layers: Mapping[fx.Node, Layer], peaks: Mapping[fx.Node, torch.Tensor]) -> None:
        self._layers, self._peaks = layers, peaks
        self._sizes = {  # of the weights without their kernel axes, [out, in / groups]
            node: layer.weight.double().abs().flatten(2).amax(2)
            if layer.weight.ndim > 2
            else layer.weight.double().abs()
            for node, layer in layers.items()
        }
        self._inputs = {node: layer.input_channels() for node, layer in layers.items()}
        self._made: dict[fx.Node, torch.Tensor] = {}
        self._read: dict[fx.Node, torch.Tensor] = {}

    def balance(self, pair: _Pair) -> float:
        """Equalizes one pair; returns the largest relative change."""
        made, read = self._range_made(pair), self._range_read(pair)
        live = pair.reach.free & (made > 0) & (read > 0)
        if not live.any():
            return 0.0
        scale = torch.ones(pair.channels, dtype=torch.float64)
        scale[live] = (made[live] / read[live]).sqrt()
        if pair.source.target is _NORM:
            scale[live] /= scale[live].log().mean().exp()
        self._made[pair.source] = self._made.get(pair.source, 1.0) * scale
        for reader, columns in pair.reach.readers.items():
            self._read[reader] = self._read.get(reader, 1.0) * scale[columns]
        return float((scale - 1).abs().max())

    def write(self, module: fx.GraphModule) -> None:
        """Gives every scaled node its new parameters."""
        for node in {**self._made, **self._read}:
            made = self._made.get(node, torch.ones((), dtype=torch.float64))
            if node.target is _NORM:
                gamma, beta = (constant(module, argument(node, *place)) for place in ((2, "weight"), (3, "bias")))
                weight = made.reciprocal() if gamma is None else gamma / made
                set_parameters(module, node, 2, weight=weight, bias=None if beta is None else beta / made)
                continue
            layer = self._layers[node]
            factors = self._factors(node).view(*layer.weight.shape[:2], *[1] * (layer.weight.ndim - 2))
            bias = None if layer.bias is None else layer.bias / made
            set_parameters(module, node, 1, weight=layer.weight * factors, bias=bias)

    def _factors(self, node: fx.Node) -> torch.Tensor:
        """Returns what the weights of a layer are to be multiplied with, float64 [out, in / groups]."""
        factors = torch.ones_like(self._sizes[node])
        if node in self._read:
            factors = self._read[node][self._inputs[node]]
        return factors / self._made[node][:, None] if node in self._made else factors

    def _range_made(self, pair: _Pair) -> torch.Tensor:
        if pair.source.target is _NORM:
            return self._peaks[pair.source].double() / self._made.get(pair.source, 1.0)
        ranges = (self._sizes[pair.source] * self._factors(pair.source)).amax(1)
        bias = self._layers[pair.source].bias
        if bias is None:
            return ranges
        return torch.maximum(ranges, bias.double().abs() / _BIAS_SHARE / self._made.get(pair.source, 1.0))

    def _range_read(self, pair: _Pair) -> torch.Tensor:
        ranges = torch.zeros(pair.channels, dtype=torch.float64)
        for reader, columns in pair.reach.readers.items():
            sizes = (self._sizes[reader] * self._factors(reader)).flatten()
            ranges = ranges.scatter_reduce(0, columns[self._inputs[reader].flatten()], sizes, "amax")
        return ranges
