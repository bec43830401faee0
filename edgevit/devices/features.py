"""Features of a graph: what its kernels do, added up by family, for the cost model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from edgevit.devices.kernels import Kernel

FEATURES = (
    "macs_conv_kxk", "macs_conv_3x3", "macs_stem", "macs_conv_1x1", "macs_grouped", "macs_depthwise_3",
    "macs_depthwise_large", "macs_linear", "macs_attention", "macs_padded",
    "weights_conv", "weights_linear", "weights_classifier",
    "moved_dense", "moved_depthwise", "moved_linear", "moved_attention", "moved_normalization", "moved_softmax",
    "moved_heavy_activation",
    "moved_light_activation", "moved_elementwise", "moved_pooling", "moved_layout",
    "kernels_dense", "kernels_depthwise", "kernels_linear", "kernels_attention", "kernels_normalization",
    "kernels_elementwise", "kernels_activation", "kernels_pooling", "kernels_layout", "kernels_global_pooling",
    "constant",
)  # fmt: skip
"""MACs, values of weights read, values of computed tensors read and written, numbers of kernels, and one."""

_FAMILIES = (
    ("macs_conv_kxk", "macs_conv_3x3", "macs_stem", "macs_conv_1x1", "macs_grouped", "macs_padded"),
    ("macs_depthwise_3", "macs_depthwise_large", "moved_depthwise"),
    ("macs_linear", "macs_attention", "moved_linear", "moved_attention"),
    ("weights_conv", "weights_linear", "weights_classifier", "moved_dense"),
    (
        "moved_normalization", "moved_softmax", "moved_heavy_activation", "moved_light_activation",
        "moved_elementwise", "moved_pooling", "moved_layout",
    ),
    tuple(name for name in FEATURES if name.startswith("kernels_")),
    ("constant",),
)  # fmt: skip
FAMILY_OF = tuple(next(at for at, family in enumerate(_FAMILIES) if name in family) for name in FEATURES)
"""Family of each feature, in the order of ``FEATURES``."""

_TILE = 32
"""Channels that matrix units work on at a time."""
_MOST_PADDING = 16.0


def features(kernels: Iterable[Kernel]) -> dict[str, float]:
    """Returns the value of each feature; without kernels only the constant is not 0."""
    total = dict.fromkeys(FEATURES, 0.0)
    for kernel in kernels:
        for name, value in kernel_features(kernel).items():
            total[name] += value
    total["constant"] = 1.0
    return total


_PER_IMAGE = np.array([name.startswith(("macs_", "moved_")) for name in FEATURES])


def for_batch(x: NDArray[np.float64], batch: int) -> NDArray[np.float64]:
    """Returns features [..., features] for a batch: work grows with it, kernels and weights do not."""
    result: NDArray[np.float64] = np.where(_PER_IMAGE, x * batch, x)
    return result


def kernel_features(kernel: Kernel) -> dict[str, float]:
    """Returns the features of one kernel that are not 0."""
    moved = float(kernel.read + kernel.written)
    found = _FAMILY_FEATURES[kernel.family](kernel, moved)
    if kernel.heavy:
        found["moved_heavy_activation"] = found.get("moved_heavy_activation", 0.0) + kernel.heavy
    return found


def _conv(kernel: Kernel, moved: float) -> dict[str, float]:
    into, out = kernel.channels
    if kernel.family == "grouped" and min(kernel.channels) < _TILE:  # wider groups are as dense as a whole convolution
        name = "macs_grouped"
    elif kernel.window == 1:
        name = "macs_conv_1x1"
    elif into <= 4:
        name = "macs_stem"
    else:
        name = "macs_conv_3x3" if (kernel.window, kernel.stride) == (3, 1) else "macs_conv_kxk"
    padding = _padded(into) / into * _padded(out) / out
    return {
        name: kernel.macs,
        "macs_padded": kernel.macs * min(padding, _MOST_PADDING),
        "weights_conv": kernel.weights,
        "moved_dense": moved,
        "kernels_dense": 1,
    }


def _padded(channels: int) -> int:
    return math.ceil(channels / _TILE) * _TILE


def _depthwise(kernel: Kernel, moved: float) -> dict[str, float]:
    size = "macs_depthwise_3" if kernel.window <= 3 else "macs_depthwise_large"
    return {size: kernel.macs, "weights_conv": kernel.weights, "moved_depthwise": moved, "kernels_depthwise": 1}


def _linear(kernel: Kernel, moved: float) -> dict[str, float]:
    if kernel.macs <= kernel.weights:
        return {"weights_classifier": kernel.weights, "kernels_linear": 1}
    return {
        "macs_linear": kernel.macs,
        "weights_linear": kernel.weights,
        "moved_linear": moved,
        "kernels_linear": 1,
    }


def _pooling(kernel: Kernel, moved: float) -> dict[str, float]:
    if kernel.light:
        return {"moved_pooling": moved, "kernels_pooling": 1}
    return {"moved_pooling": float(kernel.read), "kernels_global_pooling": 1}


_FAMILY_FEATURES: dict[str, Callable[[Kernel, float], dict[str, float]]] = {
    "conv": _conv,
    "grouped": _conv,
    "depthwise": _depthwise,
    "linear": _linear,
    "attention": lambda k, moved: {"macs_attention": k.macs, "moved_attention": moved, "kernels_attention": 1},
    "normalization": lambda _, moved: {"moved_normalization": moved, "kernels_normalization": 1},
    "softmax": lambda _, moved: {"moved_softmax": moved, "kernels_normalization": 1},
    "activation": lambda k, moved: {
        "moved_light_activation" if k.light else "moved_heavy_activation": moved,
        "kernels_activation": 1,
    },
    "elementwise": lambda _, moved: {"moved_elementwise": moved, "kernels_elementwise": 1},
    "pooling": _pooling,
    "layout": lambda _, moved: {"moved_layout": moved, "kernels_layout": 1},
}
