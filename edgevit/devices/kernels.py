"""Kernels of a graph: what a runtime launches, after the fusions that all of them do.

Two files that write one network in different ways (a GELU as one op or as five, batch normalization folded or not, a
bias inside the product or added after it) have the same kernels, and so has the graph captured from PyTorch.

- Ops that rename axes, pad, broadcast or convert number formats are free.
- Pointwise ops on one tensor and constants are one kernel; it is part of the product or normalization that computed that
  tensor, where one did.
- A pointwise region that reduces its tensor and reads the result beside it, and takes a root, is a normalization.
- Slices of one tensor are one kernel.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from edgevit.results.graph import Graph, Op
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics

KernelFamily = Literal[
    "conv", "grouped", "depthwise", "linear", "attention", "normalization", "softmax",
    "activation", "elementwise", "pooling", "layout",
]  # fmt: skip
"""Families of kernels; "attention" multiplies two computed tensors."""

_POINTWISE: tuple[OpKind, ...] = ("elementwise", "activation")
_PRODUCTS: tuple[OpKind, ...] = ("conv", "depthwise_conv", "linear", "matmul")
_FREE = frozenset(
    [
        "pad",
        "padv2",
        "mirrorpad",
        "constantpadnd",
        "expand",
        "broadcast",
        "broadcastto",
        "tile",
        "dropout",
        "identity",
        "detach",
        "alias",
        "clone",
    ]
)
_BATCH_NORMS = frozenset(
    ["nativebatchnorm", "nativebatchnormlegitnotraining", "batchnormalization", "batchnorminference", "batchnorm"]
)
_SLICES = ("slice", "split", "gather", "select", "narrow", "unbind", "unpack", "chunk")
_HEAVY = frozenset(
    [
        "gelu",
        "fastgelu",
        "biasgelu",
        "quickgelu",
        "silu",
        "swish",
        "hardswish",
        "hswish",
        "sigmoid",
        "logistic",
        "qlinearsigmoid",
        "tanh",
        "erf",
        "exp",
        "mish",
        "softplus",
        "softsign",
        "elu",
        "selu",
        "pow",
    ]
)
_SCALINGS = frozenset(["mul", "multiply", "div", "divide"])
_FUSED_ATTENTION = frozenset({"scaleddotproductattention", "attention", "multiheadattention"})
_UNKNOWN_CHANNELS = 32
"""Of a convolution whose weights are packed, so that their shape does not tell."""
_GLOBAL = 16
"""A pooling that makes this many times fewer values than it reads is global."""


@dataclass(frozen=True)
class Kernel:
    """One kernel for one inference."""

    name: str
    """Of the op that it is built around."""
    family: KernelFamily
    numerics: Numerics
    macs: int = 0
    read: int = 0
    """Values of computed tensors."""
    written: int = 0
    weights: int = 0
    """Values of constants."""
    window: int = 1
    """Longest side of the window of a convolution."""
    stride: int = 1
    channels: tuple[int, int] = (0, 0)
    """Input and output channels of one group of a convolution."""
    heavy: int = 0
    """Values that a transcendental activation in it computes (GELU, SiLU, sigmoid)."""
    light: bool = True
    """For an "activation": whether it is piecewise linear; for a "pooling": whether it is not global."""


@dataclass
class _Region:
    """Pointwise ops on one tensor, their source."""

    source: str
    ops: list[Op] = field(default_factory=list)
    reductions: list[Op] = field(default_factory=list)
    gated: bool = False
    """Whether it multiplies the tensor by a function of it, as SiLU and hard-swish do."""

    @property
    def heavy(self) -> bool:
        return self.gated or any(_native(op) in _HEAVY for op in self.ops)

    @property
    def roots(self) -> int:
        return sum(_native(op) in ("rsqrt", "sqrt") for op in self.ops)


def kernels(graph: Graph) -> tuple[Kernel, ...]:
    """Returns the kernels that a graph takes, in the order of their first ops."""
    every = frozenset(op.name for op in graph.ops if op.kind == "reduction")
    return _Fusion(graph, _Fusion(graph, every).recombined).kernels()


class _Fusion:
    """Assigns every op of a graph to a region, or makes it an anchor, which is a kernel of its own.

    ``reductions`` names those that may belong to a region. ``recombined`` has the ones of them whose result is read
    beside what they reduce, as in a normalization; a global pooling is none.
    """

    def __init__(self, graph: Graph, reductions: frozenset[str]) -> None:
        self._graph = graph
        self._alias: dict[str, str] = {}
        """Tensors that need no kernel of their own, by the tensor they stand for."""
        self._producer: dict[str, Op] = {}
        self._regions: dict[str, _Region] = {}
        self._source: dict[str, str] = {}
        """Source of each tensor that a region computes."""
        self._reduced: dict[str, frozenset[str]] = {}
        """Reductions that each tensor of a region comes from."""
        self._anchors: list[Op] = []
        self.recombined: frozenset[str] = frozenset()
        for op in graph.ops:
            self._assign(op, reductions)

    def _assign(self, op: Op, reductions: frozenset[str]) -> None:
        data = self._data(op)
        if not data or not op.outputs:
            return
        native = _native(op)
        if op.kind in ("reshape", "quantize", "constant") or native in _FREE:
            self._alias.update(dict.fromkeys(op.outputs, data[0]))
            return
        sources = {self._source.get(name, name) for name in data}
        inside = op.name in reductions
        if len(sources) > 1 or not (op.kind in _POINTWISE or native in _BATCH_NORMS or inside):
            self._anchors.append(op)
            self._producer.update(dict.fromkeys(op.outputs, op))
            return
        source = sources.pop()
        region = self._regions.setdefault(source, _Region(source))
        (region.reductions if inside else region.ops).append(op)
        reduced = [self._reduced.get(name, frozenset()) for name in data]
        region.gated |= native in ("mul", "multiply") and len(set(data)) == 2 and not any(reduced)
        self.recombined |= frozenset.union(*reduced) - frozenset.intersection(*reduced)
        for name in op.outputs:
            self._source[name] = source
            self._reduced[name] = frozenset.union(*reduced, {op.name} if inside else frozenset())

    def kernels(self) -> tuple[Kernel, ...]:
        """Returns the kernels in the order of their first ops."""
        found: list[tuple[int, Kernel]] = []
        order = {op.name: position for position, op in enumerate(self._graph.ops)}
        slices: dict[str, list[Op]] = defaultdict(list)
        for op in self._anchors:
            native = _native(op)
            if op.kind in ("layout", "gather") and any(word in native for word in _SLICES) and "concat" not in native:
                slices[self._data(op)[0]].append(op)
            else:
                found.extend((order[op.name], kernel) for kernel in self._anchor(op))
        for ops in slices.values():
            written = sum(self._values(name) for op in ops for name in op.outputs)
            found.append((order[ops[0].name], Kernel(ops[0].name, "layout", ops[0].numerics, 0, written, written)))
        for region in self._regions.values():
            found.extend((order[region.ops[0].name], kernel) for kernel in self._region(region))
        return tuple(kernel for _, kernel in sorted(found, key=lambda pair: pair[0]))

    def _data(self, op: Op) -> list[str]:
        """Computed tensors that an op reads, without aliases."""
        names = (name for name in op.inputs if not self._graph.tensor[name].constant)
        return [self._resolve(name) for name in names]

    def _resolve(self, name: str) -> str:
        while name in self._alias:
            name = self._alias[name]
        return name

    def _values(self, name: str) -> int:
        return math.prod(self._graph.tensor[name].shape)

    def _anchor(self, op: Op) -> list[Kernel]:
        read = sum(self._values(name) for name in self._data(op))
        written = sum(self._values(name) for name in op.outputs[: 1 if op.kind == "pooling" else None])
        if op.kind in _PRODUCTS and op.macs:
            return self._product(op, read, written)
        if op.kind in ("normalization", "softmax"):
            return [Kernel(op.name, op.kind, op.numerics, 0, read, written)]
        if op.kind in ("pooling", "reduction"):
            whole = written * _GLOBAL <= read
            return [Kernel(op.name, "pooling", op.numerics, 0, read, written, light=not whole)]
        if op.kind in ("layout", "gather", "topk"):
            return [Kernel(op.name, "layout", op.numerics, 0, written, written)]
        return [Kernel(op.name, "elementwise", op.numerics, 0, read, written)]

    def _product(self, op: Op, read: int, written: int) -> list[Kernel]:
        constants = [self._graph.tensor[name] for name in op.inputs if self._graph.tensor[name].constant]
        weights = max(constants, key=lambda tensor: math.prod(tensor.shape), default=None)
        region = self._regions.get(op.outputs[0])
        heavy = written if region is not None and region.heavy else 0
        if _native(op) in _FUSED_ATTENTION and len(self._data(op)) >= 3:
            return self._attention(op)
        if op.kind == "matmul" or weights is None:
            return [Kernel(op.name, "attention", op.numerics, op.macs, read, written, heavy=heavy)]
        size = math.prod(weights.shape)
        if op.kind == "linear":
            return [Kernel(op.name, "linear", op.numerics, op.macs, read, written, size, heavy=heavy)]
        into, out, window = _geometry(self._graph.format, op, weights.shape)
        area = math.prod(self._graph.tensor[self._data(op)[0]].shape) / max(1, self._input_channels(op))
        made = math.prod(self._graph.tensor[op.outputs[0]].shape) / max(1, self._output_channels(op))
        groups = max(1, round(self._input_channels(op) / into))
        family: KernelFamily = "depthwise" if op.kind == "depthwise_conv" else "conv" if groups == 1 else "grouped"
        stride = max(1, round(math.sqrt(area / made))) if made else 1
        return [
            Kernel(
                op.name, family, op.numerics, op.macs, read, written, size, window, stride,
                (into, max(1, out // groups)), heavy,
            )
        ]  # fmt: skip

    def _attention(self, op: Op) -> list[Kernel]:
        """Returns the two products and the softmax that a fused attention op stands for."""
        query, key = (self._graph.tensor[name].shape for name in self._data(op)[:2])
        values, made = self._values(self._data(op)[2]), self._values(op.outputs[0])
        scores = math.prod(query[:-1]) * key[-2]
        first = scores * query[-1]
        return [
            Kernel(op.name, "attention", op.numerics, first, math.prod(query) + math.prod(key), scores),
            Kernel(op.name, "softmax", op.numerics, 0, scores, scores),
            Kernel(op.name, "attention", op.numerics, op.macs - first, scores + values, made),
        ]

    def _input_channels(self, op: Op) -> int:
        shape = self._graph.tensor[self._data(op)[0]].shape
        return shape[-1 if self._graph.format == "tflite" else 1] if len(shape) > 1 else 1

    def _output_channels(self, op: Op) -> int:
        shape = self._graph.tensor[op.outputs[0]].shape
        return shape[-1 if self._graph.format == "tflite" else 1] if len(shape) > 1 else 1

    def _region(self, region: _Region) -> list[Kernel]:
        producer = self._producer.get(region.source)
        fused = producer is not None and (producer.kind == "normalization" or producer.macs > 0)
        first, size = region.ops[0], self._values(region.source)
        numerics = first.numerics
        if region.reductions:
            norms = max(1, region.roots)
            found = [Kernel(first.name, "normalization", numerics, 0, norms * size, norms * size)]
            if region.heavy and not fused:
                found.append(Kernel(first.name, "activation", numerics, 0, size, size, light=False))
            return found
        if fused or self._only_scales(region):
            return []
        inner = {name for op in region.ops for name in op.inputs}
        ends = [name for op in region.ops for name in op.outputs if name not in inner] or list(region.ops[-1].outputs)
        written = sum(self._values(name) for name in ends)
        if region.heavy or any(op.kind == "activation" for op in region.ops):
            return [Kernel(first.name, "activation", numerics, 0, size, written, light=not region.heavy)]
        return [Kernel(first.name, "elementwise", numerics, 0, size, written)]

    def _only_scales(self, region: _Region) -> bool:
        """Whether the region multiplies by single numbers, which a neighbour takes in."""
        constants = (
            self._graph.tensor[name] for op in region.ops for name in op.inputs if self._graph.tensor[name].constant
        )
        return all(_native(op) in _SCALINGS for op in region.ops) and all(
            math.prod(tensor.shape) == 1 for tensor in constants
        )


def _native(op: Op) -> str:
    """Name of an op in one spelling for all formats: "HARD_SWISH", "HardSwish" and "hardswish_" are one."""
    return op.native.lower().replace("_", "")


def _geometry(format: str, op: Op, weights: tuple[int, ...]) -> tuple[int, int, int]:
    """Returns input channels of one group, output channels, and the longest side of the window of a convolution."""
    if len(weights) < 3:
        return _UNKNOWN_CHANNELS, _UNKNOWN_CHANNELS, 1
    if format == "tflite":
        if op.kind == "depthwise_conv" and weights[0] == 1:
            return 1, weights[-1], max(weights[1:-1])
        return weights[-1], weights[0], max(weights[1:-1])
    if op.native.startswith("GroupConvolution"):
        return weights[2], weights[0] * weights[1], max(weights[3:])
    return weights[1], weights[0], max(weights[2:], default=1)
