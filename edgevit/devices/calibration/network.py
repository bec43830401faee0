"""Description of a small network, from which a file is written in any format.

A map is (channels, height, width), tokens are (groups, tokens, channels).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

Shape = tuple[int, ...]
Kind = Literal[
    "input", "conv", "activation", "linear", "norm", "map_norm", "attention", "add", "mul", "mean", "max_pool", "avg_pool", "concat",
    "flat_tokens", "flat_map", "last_tokens", "last_map", "reshape", "transpose",
]  # fmt: skip
"""Kinds of layers: "flat" goes from maps to tokens by flattening, then transposing; "last" by moving channels last,
which a format that has them last anyway gets for nothing."""
Activation = Literal["none", "relu", "relu6", "hard_swish", "hard_sigmoid", "silu", "sigmoid", "gelu"]


@dataclass(frozen=True)
class Layer:
    """One layer."""

    kind: Kind
    inputs: tuple[int, ...]
    """Places of the layers that it reads."""
    shape: Shape
    """Of what it makes."""
    activation: Activation = "none"
    """Of an "activation", or after a convolution or linear layer."""
    window: int = 1
    stride: int = 1
    groups: int = 1
    heads: int = 1
    key: int = 0
    """Width of a key of each head."""
    biased: bool = False
    """Whether attention adds a number for each pair of tokens."""
    axes: tuple[int, ...] = ()
    """Of a transposition."""
    tokens: bool = False
    """Whether it makes tokens, or what is made of them, rather than a map."""


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they run; the first is the input, the last gives class scores."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def attends(self) -> bool:
        """Whether it is quantized as a vision transformer."""
        return any(layer.kind == "attention" for layer in self.layers)

    def read(self, layer: Layer) -> Shape:
        """Returns the shape of what a layer reads first."""
        return self.layers[layer.inputs[0]].shape


@dataclass
class Builder:
    """Collects layers; each method returns the place of a new layer, and takes those of the ones that it reads."""

    layers: list[Layer] = field(default_factory=list)

    def network(self, name: str) -> Network:
        """Returns what was collected."""
        return Network(name, tuple(self.layers))

    def shape(self, x: int) -> Shape:
        """Returns the shape that a layer makes."""
        return self.layers[x].shape

    def add_layer(self, layer: Layer) -> int:
        """Adds a layer; tokens are what is made from tokens, until they are a map again."""
        made = any(self.layers[place].tokens for place in layer.inputs[:1]) and not layer.kind.endswith("_map")
        self.layers.append(replace(layer, tokens=made or layer.kind in ("flat_tokens", "last_tokens", "reshape")))
        return len(self.layers) - 1

    def input(self, side: int) -> int:
        """Adds the image."""
        return self.add_layer(Layer("input", (), (3, side, side)))

    def conv(self, x: int, out: int, window: int = 1, stride: int = 1, act: Activation = "none", groups: int = 1) -> int:  # fmt: skip
        """Adds a convolution that keeps the size of the map, divided by ``stride``; 0 groups is one for each channel."""
        channels, height, width = self.shape(x)
        shape = (out, math.ceil(height / stride), math.ceil(width / stride))
        return self.add_layer(Layer("conv", (x,), shape, act, window, stride, groups or channels))

    def activate(self, x: int, act: Activation) -> int:
        """Adds an activation by itself."""
        return self.add_layer(Layer("activation", (x,), self.shape(x), act))

    def linear(self, x: int, out: int, act: Activation = "none") -> int:
        """Adds a linear layer over the last axis."""
        return self.add_layer(Layer("linear", (x,), (*self.shape(x)[:-1], out), act))

    def norm(self, x: int) -> int:
        """Adds a normalization over the last axis."""
        return self.add_layer(Layer("norm", (x,), self.shape(x)))

    def map_norm(self, x: int) -> int:
        """Adds a normalization over the channels of each pixel of a map."""
        return self.add_layer(Layer("map_norm", (x,), self.shape(x)))

    def attention(self, x: int, heads: int, key: int = 0, biased: bool = False, of: int | None = None) -> int:
        """Adds attention with its projections, to the tokens of ``x`` itself or of another layer.

        Keys are as wide as values when ``key`` is 0.

        Raises:
            ValueError: the width is no multiple of the heads, and no ``key`` is given.
        """
        width = self.shape(x)[-1]
        if not key and width % heads:
            raise ValueError(f"{width} channels are not {heads} heads of one width")
        read = (x,) if of is None else (x, of)
        return self.add_layer(Layer("attention", read, self.shape(x), heads=heads, key=key or width // heads, biased=biased))  # fmt: skip

    def add(self, x: int, y: int) -> int:
        """Adds a sum."""
        return self.add_layer(Layer("add", (x, y), self.shape(x)))

    def mul(self, x: int, y: int) -> int:
        """Adds a product; ``y`` may have one number for each channel."""
        return self.add_layer(Layer("mul", (x, y), self.shape(x)))

    def mean(self, x: int) -> int:
        """Adds the mean of each channel of a map."""
        return self.add_layer(Layer("mean", (x,), (self.shape(x)[0], 1, 1)))

    def pool(self, x: int, kind: Literal["max_pool", "avg_pool"], stride: int = 1) -> int:
        """Adds a pooling in windows of 3 x 3."""
        channels, height, width = self.shape(x)
        shape = (channels, math.ceil(height / stride), math.ceil(width / stride))
        return self.add_layer(Layer(kind, (x,), shape, window=3, stride=stride))

    def concat(self, x: int, y: int) -> int:
        """Adds a map with the channels of two."""
        first, second = self.shape(x), self.shape(y)
        return self.add_layer(Layer("concat", (x, y), (first[0] + second[0], *first[1:])))

    def tokens(self, x: int, kind: Literal["flat_tokens", "last_tokens"] = "flat_tokens") -> int:
        """Adds a map's pixels as tokens."""
        channels, height, width = self.shape(x)
        return self.add_layer(Layer(kind, (x,), (1, height * width, channels)))

    def as_map(self, x: int, kind: Literal["flat_map", "last_map"] = "flat_map") -> int:
        """Adds tokens as a square map."""
        groups, tokens, channels = self.shape(x)
        side = math.isqrt(groups * tokens)
        return self.add_layer(Layer(kind, (x,), (channels, side, side)))

    def reshape(self, x: int, shape: Shape) -> int:
        """Adds a tensor of tokens in another shape."""
        return self.add_layer(Layer("reshape", (x,), shape))

    def transpose(self, x: int, axes: tuple[int, ...]) -> int:
        """Adds a tensor of tokens with its axes in another order."""
        shape = self.shape(x)
        return self.add_layer(Layer("transpose", (x,), tuple(shape[axis] for axis in axes), axes=axes))

    def classify(self, x: int, classes: int = 100) -> int:
        """Adds class scores from a map."""
        mean = self.mean(x)
        return self.linear(self.reshape(mean, (1, self.shape(mean)[0])), classes)
