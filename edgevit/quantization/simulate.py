"""Simulates an int8 artifact in PyTorch: the graph that its recipe makes, with the values that it rounds fake-quantized.

A model is trained under the numbers that will run (Jacob et al., "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", 2018). What the artifact itself says decides which layers are int8.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import fx

from edgevit.errors import CandidateFailed
from edgevit.model.program.layers import LINEAR, Layer, argument, constant, device_of, find_layers, set_parameters
from edgevit.model.program.mapped import MappedInterpreter
from edgevit.model.program.nodes import is_call, only_user, shape
from edgevit.quantization.activation_ranges import BINNED, tensor_ranges
from edgevit.quantization.arithmetic import Int8Arithmetic
from edgevit.quantization.fake_quantize import (
    fake_quantize_between,
    fake_quantize_image,
    fake_quantize_rows,
    fake_quantize_weight,
)
from edgevit.quantization.rewrites import IMAGES, find_rewrite
from edgevit.quantization.rewrites.packed_attention import ATTENTION
from edgevit.spec.recipe import REWRITES, Preparation, RangeMethod
from edgevit.spec.schemes import Numerics

_aten = torch.ops.aten
_JOINED = (_aten.add.Tensor, _aten.add_.Tensor, _aten.mean.dim, _aten.adaptive_avg_pool2d.default)
"""Ops without weights whose inputs a fully int8 network rounds too."""
_FAKE = (fake_quantize_between, fake_quantize_image, fake_quantize_rows)
_MEAN_IMAGES = 32
"""Calibration images that give static ranges while a model is tuned, where these are means over images or of all values; the
artifact's own come from all of them."""
_EXTREME_IMAGES = 256
"""The same where ranges are extremes over all images: these grow with the number, and with few the simulation clips more."""
_AT_ONCE = 16
"""Of these, so many share the cost of the calls."""


@dataclass(frozen=True)
class LayerNumerics:
    """A convolution or linear layer of an artifact."""

    macs: int
    """Of one inference."""
    weights: int
    """Number of values of the weight, without the bias."""
    numerics: Numerics


@dataclass(frozen=True)
class Int8Scheme:
    """An int8 artifact, as far as simulating it depends on it."""

    arithmetic: Int8Arithmetic
    preparations: tuple[Preparation, ...]
    """Of its recipe; exact rewrites are simulated. The others change no int8 number (options of exporters), or are what
    tuning does by itself (changes of weights)."""
    ranges: RangeMethod
    reduce_range: bool
    layers: tuple[LayerNumerics, ...]
    """In execution order."""
    int8_adds: bool
    """Whether sums of activations are int8."""


class StaticRanges:
    """The ranges of a simulation that are fixed while the artifact runs."""

    def __init__(self, module: fx.GraphModule, scheme: Int8Scheme, images: np.ndarray) -> None:
        """Begins without ranges; see :func:`simulate`."""
        self._module, self._scheme = module, scheme
        self._images = _spread(images, _MEAN_IMAGES)
        self._more_images = _spread(images, _EXTREME_IMAGES)
        self._names: dict[fx.Node, str] = {}
        """What is rounded, each with the name of its buffer, float32 [2, ...]."""
        self._by_channel: set[fx.Node] = set()

    def insert(self, source: fx.Node, *, by_channel: bool) -> fx.Node:
        """Adds a node that rounds what ``source`` makes, at the insertion point."""
        name = self._names.setdefault(source, f"_range_{len(self._names)}")
        if by_channel:
            self._by_channel.add(source)
        size = (shape(source)[1], 1, 1) if by_channel else ()
        self._module.register_buffer(name, torch.zeros(2, *size, device=device_of(self._module)))
        graph = self._module.graph
        low, high = (graph.call_function(_aten.select.int, (graph.get_attr(name), 0, place)) for place in (0, 1))
        return graph.call_function(fake_quantize_between, (source, low, high))

    def measure(self) -> None:
        """Takes the ranges from the graph as it is now, computed in float, by the method of the recipe."""
        method, whole = self._scheme.ranges, set(self._names) - self._by_channel
        binned = whole if method in BINNED else set()
        averaged = whole if method == "mean_min_max" else set()
        found = tensor_ranges(self._activations(binned), method)
        bounds = {node: torch.tensor([found[node.name]]) for node in binned}
        for node, extremes in self._extremes(averaged, self._images).items():
            bounds[node] = extremes.mean(0)
        for node, extremes in self._extremes(set(self._names) - binned - averaged, self._more_images).items():
            bounds[node] = torch.stack([extremes[..., 0].amin(0), extremes[..., 1].amax(0)], dim=-1)
        for node, name in self._names.items():
            pair = bounds[node].unbind(-1)
            if self._scheme.arithmetic.symmetric_ranges and self._scheme.int8_adds:
                pair = _symmetric(*pair)
            buffer = cast(torch.Tensor, getattr(self._module, name))
            buffer.copy_(torch.stack(pair).reshape(buffer.shape))

    def _extremes(self, nodes: Collection[fx.Node], images: np.ndarray) -> dict[fx.Node, torch.Tensor]:
        """Least and largest value in each image, zero included, float64 [images, channels, 2]; one channel for the whole."""

        def run(image: torch.Tensor) -> dict[str, torch.Tensor]:
            found = _FloatRun(self._module, frozenset(nodes), self._by_channel)
            found.run(image[None])
            return found.extremes

        parts = []
        for first in range(0, len(images) if nodes else 0, _AT_ONCE):
            batch = torch.tensor(images[first : first + _AT_ONCE], device=device_of(self._module))
            with torch.no_grad():
                parts.append(torch.vmap(run)(batch))
        return {node: torch.cat([part[node.name] for part in parts]).double() for node in nodes}

    def _activations(self, nodes: Collection[fx.Node]) -> Iterator[dict[str, np.ndarray]]:
        for image in self._images if nodes else ():
            run = _FloatRun(self._module, frozenset(nodes))
            with torch.inference_mode():
                run.run(torch.tensor(image[None], device=device_of(self._module)))
            yield run.seen


def _spread(images: np.ndarray, count: int) -> np.ndarray:
    """At most so many images, taken evenly."""
    return images[:: math.ceil(len(images) / count)]


def _symmetric(low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    largest = torch.maximum(-low, high)
    return torch.where(low < 0, -largest * 128 / 127, 0.0), torch.where(low < 0, largest, high)


class _FloatRun(MappedInterpreter):
    """Runs a graph without its fake quantization, and keeps what was asked for of the values of some nodes, by their names."""

    def __init__(
        self, module: fx.GraphModule, kept: frozenset[fx.Node], by_channel: Collection[fx.Node] | None = None
    ) -> None:
        """Begins; values are kept whole where ``by_channel`` is None, else their extremes, of each channel for its nodes."""
        super().__init__(module)
        self._kept, self._by_channel = kept, by_channel
        self.seen: dict[str, np.ndarray] = {}
        self.extremes: dict[str, torch.Tensor] = {}
        """Least and largest, zero included, float32 [channels, 2]."""

    def run_node(self, n: fx.Node) -> Any:
        if n.target in (*_FAKE, fake_quantize_weight):
            return self.env[cast(fx.Node, n.args[0])]
        value = super().run_node(n)
        if n not in self._kept:
            return value
        if self._by_channel is None:
            self.seen[n.name] = value.cpu().numpy().copy()  # before an op in place overwrites it
        else:
            rows = value[0].flatten(1) if n in self._by_channel else value.reshape(1, -1)
            self.extremes[n.name] = torch.stack([rows.amin(1).clamp_max(0), rows.amax(1).clamp_min(0)], dim=-1)
        return value


def simulate(module: fx.GraphModule, scheme: Int8Scheme, images: np.ndarray) -> StaticRanges:
    """Rewrites a graph as the recipe of an artifact does, and fake-quantizes what the artifact computes in int8, in place.

    Args:
        module: ATen graph of a float program with batch 1; keeps derivations where it is to be trained
            (:func:`edgevit.model.program.derived.keep_derivations`). Ranges that are taken at run time are those of one
            image, so that a batch has to be mapped over, by ``torch.vmap``.
        scheme: What to simulate.
        images: Calibration images, float32 [n, 3, h, w], preprocessed.

    Returns:
        The ranges that do not follow the image; they were measured once.

    Raises:
        CandidateFailed: the artifact has other layers than the graph.
    """
    for name in REWRITES:
        if name in scheme.preparations:
            find_rewrite(name)(module, images[:: max(1, len(images) // IMAGES)][:IMAGES])
    if scheme.arithmetic.folded_into_linear != "nothing":
        _fold_norms(module, scale=scheme.arithmetic.folded_into_linear == "scale and shift")
    static = StaticRanges(module, scheme, images)
    rounded = _Rounded(module, scheme.arithmetic, static)
    layers = find_layers(module)
    numerics = _numerics_of(layers, scheme.layers)
    for layer, how in zip(layers, numerics, strict=True):
        if how in ("int8_static", "int8_dynamic"):
            largest = 63 if scheme.reduce_range else 127
            with module.graph.inserting_before(layer.node):
                weight = module.graph.call_function(fake_quantize_weight, (layer.node.args[1], largest))
                values = rounded.input_of(layer, how)
            layer.node.args = (values, weight, *layer.node.args[2:])
    if scheme.int8_adds:
        _round_sums(module, rounded)
    if scheme.arithmetic.rounds_query_and_key and "int8_static" in numerics:
        _round_queries_and_keys(module, rounded)
    module.graph.lint()
    module.recompile()
    static.measure()
    return static


class _Rounded:
    """Fake-quantized values, each added once."""

    def __init__(self, module: fx.GraphModule, arithmetic: Int8Arithmetic, static: StaticRanges) -> None:
        self._module, self._arithmetic, self._static = module, arithmetic, static
        self._made: dict[tuple[fx.Node, str], fx.Node] = {}

    def input_of(self, layer: Layer, how: Numerics) -> fx.Node:
        """What a layer reads, rounded as it rounds it."""
        source = cast(fx.Node, layer.node.args[0])
        if how == "int8_static":
            depthwise = layer.groups > 1 and layer.groups == len(layer.weight)
            return self.static(source, by_channel=depthwise and self._arithmetic.depthwise_ranges == "channel")
        by_row = layer.weight.ndim == 2 and self._arithmetic.linear_ranges == "row"
        function = fake_quantize_rows if by_row else fake_quantize_image
        return self._once(source, function.__name__, lambda: self._module.graph.call_function(function, (source,)))

    def static(self, source: fx.Node, *, by_channel: bool = False) -> fx.Node:
        """A value rounded to a fixed grid."""
        return self._once(source, "static", partial(self._static.insert, source, by_channel=by_channel))

    def _once(self, source: fx.Node, kind: str, make: Callable[[], fx.Node]) -> fx.Node:
        if (source, kind) not in self._made:
            with self._module.graph.inserting_before(source.next):
                self._made[source, kind] = make()
        return self._made[source, kind]


def _round_sums(module: fx.GraphModule, rounded: _Rounded) -> None:
    for node in list(module.graph.nodes):
        if not is_call(node, *_JOINED):
            continue
        for source in node.all_input_nodes:
            if len(shape(source)) == 4:
                node.replace_input_with(source, rounded.static(source))


def _round_queries_and_keys(module: fx.GraphModule, rounded: _Rounded) -> None:
    for node in list(module.graph.nodes):
        if is_call(node, ATTENTION) or (is_call(node, _aten.bmm.default) and _is_softmaxed(node)):
            for source in cast(tuple[fx.Node, ...], node.args[:2]):
                node.replace_input_with(source, rounded.static(source))


def _is_softmaxed(product: fx.Node) -> bool:
    """Returns whether a product becomes the weights of attention, after a mask is added or not."""
    user = only_user(product)
    if user is not None and is_call(user, _aten.add.Tensor):
        user = only_user(user)
    return is_call(user, _aten.softmax.int)


def _fold_norms(module: fx.GraphModule, *, scale: bool) -> None:
    """Moves the shift of each layer normalization that linear layers alone read, and its scale, into these, in place."""
    layers = {layer.node: layer for layer in find_layers(module) if layer.node.target is LINEAR}
    for norm in list(module.graph.nodes):
        if not is_call(norm, _aten.layer_norm.default) or not all(user in layers for user in norm.users):
            continue
        weight, bias = constant(module, argument(norm, 2, "weight")), constant(module, argument(norm, 3, "bias"))
        if weight is None or bias is None:
            continue
        for user in list(norm.users):
            layer = layers[user]
            shift = (layer.weight * bias).sum(1)
            set_parameters(
                module,
                user,
                1,
                weight=layer.weight * weight if scale else layer.weight,
                bias=shift if layer.bias is None else layer.bias + shift,
            )
        norm.args = (*norm.args[:2], None if scale else norm.args[2], None, *norm.args[4:])


def _numerics_of(layers: list[Layer], artifact: tuple[LayerNumerics, ...]) -> tuple[Numerics, ...]:
    """The numerics of each layer of a graph; layers of one size have the same order in both."""
    sizes = [layer.size for layer in layers]
    if Counter(sizes) != Counter((each.macs, each.weights) for each in artifact):
        raise CandidateFailed(
            f"int8 cannot be simulated: the artifact has {len(artifact)} convolutions and linear layers, the model"
            f" {len(layers)}, or others in size"
        )
    waiting: dict[tuple[int, int], list[Numerics]] = defaultdict(list)
    for each in reversed(artifact):
        waiting[each.macs, each.weights].append(each.numerics)
    return tuple(waiting[size].pop() for size in sizes)
