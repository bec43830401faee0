"""How a runtime computes int8 layers, as far as simulating them depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Int8Arithmetic:
    """Of one runtime; weights have one symmetric grid for each output channel in all of them."""

    linear_ranges: Literal["image", "row"] = "image"
    """What shares a range in the input of a linear layer whose activations are quantized at run time: all values of an
    image, or each row (a token). A convolution's are always those of an image."""
    folded_into_linear: Literal["nothing", "shift", "scale and shift"] = "nothing"
    """What the linear layers after a layer normalization contain of it."""
    rounds_query_and_key: bool = False
    """Whether attention multiplies query and key in int8 where layers are static."""
    symmetric_ranges: bool = False
    """Whether static activations have symmetric grids in a network without float kinds."""
    depthwise_ranges: Literal["tensor", "channel"] = "tensor"
    """What shares a range in the input of a static depthwise convolution."""
    corrects_biases: bool = False
    """Whether the quantizer of static schemes corrects biases by itself, after what int8 changes on average."""
