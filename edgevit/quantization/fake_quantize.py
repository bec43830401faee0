"""Fake quantization: values rounded to an int8 grid but kept as floats, with gradients as if they were not.

The straight-through estimator (Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013):
the gradient passes rounding unchanged, and is zero where a value was clipped. Grids are affine (scale and zero point),
contain zero, and have 256 levels for activations, as those of the runtimes do (Jacob et al., 2018).
"""

from __future__ import annotations

import torch
from torch import Tensor

_LEAST_STEP = 1e-12
"""Of a grid for values that are all zero."""


def fake_quantize_weight(weight: Tensor, largest: int) -> Tensor:
    """Rounds a weight to one symmetric grid for each output channel.

    Args:
        weight: float32 [out, ...].
        largest: Integer that the largest absolute value of a channel becomes: 127, or 63 with 7 bits.
    """
    with torch.no_grad():
        step = (weight.abs().flatten(1).amax(1) / largest).clamp_min(_LEAST_STEP)
        step = step.view(-1, *[1] * (weight.ndim - 1))
        error = (weight / step).round_().mul_(step).sub_(weight)
    return weight + error


def fake_quantize_rows(values: Tensor) -> Tensor:
    """Rounds each row to a grid of its own, float32 [..., width]: the rows of one image are its tokens or patches."""
    with torch.no_grad():
        error = _error(values, values.amin(-1, keepdim=True), values.amax(-1, keepdim=True))
    return values + error


def fake_quantize_image(values: Tensor) -> Tensor:
    """Rounds all values of one image to one grid, float32 of any shape."""
    with torch.no_grad():
        error = _error(values, values.amin(), values.amax())
    return values + error


def fake_quantize_between(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Clips values to a range and rounds them to its grid.

    Args:
        values: float32 of any shape.
        low: Lower bound, zero or less: a single number, or of a shape that values can be divided by.
        high: Upper bound, zero or more, of the same shape.
    """
    inside = torch.minimum(torch.maximum(values, low), high)
    with torch.no_grad():
        error = _error(inside, low, high)
    return inside + error


def _error(values: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """What rounding to the grid of a range changes; the range is widened to contain zero."""
    low, high = low.clamp_max(0), high.clamp_min(0)
    step = ((high - low) / 255).clamp_min(_LEAST_STEP)
    zero = (-low / step).round()
    return (values / step).add_(zero).round_().clamp(0, 255).sub_(zero).mul_(step).sub_(values)
