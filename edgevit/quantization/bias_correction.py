"""Removes the mean shift that rounding the weights to int8 causes in every output channel.

Source: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2, with
the mean input measured over images instead of derived from batch normalization.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram

from edgevit.errors import CandidateFailed
from edgevit.model.program.layers import LINEAR, Layer, export_again, find_layers, run_images, set_parameters

_LARGEST = 127


@dataclass(frozen=True)
class Corrected:
    """A program with corrected biases."""

    program: ExportedProgram
    layers: int
    """How many layers have a new bias."""


def correct_bias(program: ExportedProgram, images: np.ndarray) -> Corrected:
    """Subtracts E[(Wq - W) x] from the bias of every convolution and linear layer.

    Wq is W rounded to int8 as all three runtimes do it, x the layer's input in the float model. The mean is over images
    and positions, padding included: a layer is linear, so it is what the layer does with Wq - W to the mean input.
    Where there is no bias, one is added. The float logits move by about as much as rounding the weights moves them.

    Args:
        program: One input, float32 [1, 3, h, w], one output, logits [1, classes]; left untouched.
        images: float32 [n, 3, h, w], preprocessed.

    Raises:
        CandidateFailed: a correction is not finite.
        UsageError: there are no images, or the program has no example inputs.
    """
    module = program.module()
    layers = find_layers(module)
    sums: dict[fx.Node, torch.Tensor] = {}

    def see(node: fx.Node, read: torch.Tensor, _: torch.Tensor) -> None:
        mean = read.double()
        if node.target is LINEAR:
            mean = mean.reshape(-1, mean.shape[-1]).mean(0)
        sums[node] = mean if node not in sums else sums[node].add_(mean)

    run_images(module, images, [layer.node for layer in layers], see)
    corrected = 0
    for layer in layers:
        shift = _shift(layer, sums[layer.node] / len(images))
        if not shift.isfinite().all():
            raise CandidateFailed(f"the bias correction of {layer.node.name} is not a number")
        if not shift.any():
            continue
        bias = -shift if layer.bias is None else layer.bias - shift
        set_parameters(module, layer.node, 2, bias=bias)
        corrected += 1
    return Corrected(export_again(module, program) if corrected else program, corrected)


def round_weights(weight: torch.Tensor) -> torch.Tensor:
    """Rounds weights to the int8 grid of their output channel: symmetric, scale = largest absolute weight / 127.

    Args:
        weight: float [out, ...].

    Returns:
        float64, the same shape: whole multiples -127..127 of the scale; zeros where a channel is all zeros.
    """
    weight = weight.double()
    scale = weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / _LARGEST
    return torch.where(scale > 0, (weight / scale).round() * scale, 0.0)


def _shift(layer: Layer, mean: torch.Tensor) -> torch.Tensor:
    """Returns a layer's output for its mean input with Wq - W for weights, averaged over positions; float64 [out].

    Args:
        layer: The layer.
        mean: float64 [in] for a linear layer, [1, in, ...] for a convolution.
    """
    difference = round_weights(layer.weight) - layer.weight.double()
    if layer.node.target is LINEAR:
        return difference @ mean
    options = {key: value for key, value in layer.node.kwargs.items() if key not in ("weight", "bias")}
    with torch.inference_mode():
        made = cast(Any, layer.node.target)(mean, difference, None, *layer.node.args[3:], **options)
    return cast(torch.Tensor, made).flatten(2).mean((0, 2))
