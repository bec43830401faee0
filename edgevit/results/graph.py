"""The ops and tensors of an artifact, in terms that all backends share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from edgevit.spec.recipe import LAYER_KINDS, OpKind
from edgevit.spec.schemes import Numerics

_BITS = {
    **dict.fromkeys(("float64", "int64", "uint64", "complex64"), 64),
    **dict.fromkeys(("float32", "int32", "uint32"), 32),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 16),
    **dict.fromkeys(("int4", "uint4", "float4_e2m1", "nf4"), 4),
    **dict.fromkeys(("int2", "uint2"), 2),
    "complex128": 128,
}
_INT8_OR_NARROWER = ("int8", "uint8", "int4", "uint4", "int2", "uint2")
_WEIGHT_DTYPES = ("float64", "float32", "float16", "bfloat16", "float4_e2m1", "nf4", *_INT8_OR_NARROWER)


def size_bytes(shape: tuple[int, ...], dtype: str) -> int:
    """Returns the size of a tensor in bytes; dtypes narrower than a byte are packed."""
    return math.ceil(math.prod(shape) * _BITS.get(dtype, 8) / 8)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a graph."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """numpy's name."""
    size_bytes: int
    constant: bool
    """Whether its values are stored in the file (weights) rather than computed; then ``dtype`` and ``size_bytes`` are
    those of the stored values, even if ops on constants expand them to float."""
    scales: int = 1
    """Scales that its integers were quantized by: as many as channels where each has its own."""
    asymmetric: bool = False
    """Whether its integers are unsigned, or have a zero point other than 0. Known of ONNX alone."""

    @property
    def narrow(self) -> bool:
        """Whether its values are integers of 8 bits or less."""
        return self.dtype in _INT8_OR_NARROWER


@dataclass(frozen=True)
class Op:
    """One op of a graph, in execution order."""

    name: str
    native: str
    """The format's own name of the op, such as "FULLY_CONNECTED" or "MatMul"."""
    kind: OpKind
    inputs: tuple[str, ...]
    """Names of the tensors it reads; scales and zero points of quantized ops are left out."""
    outputs: tuple[str, ...]
    macs: int
    """Multiply-accumulate operations for one inference, batch 1."""
    numerics: Numerics = "float"
    foreign: bool = False
    """Whether it is none of the format's own ops, so that the runtime needs a library that comes with the file (Flex,
    custom ops)."""


@dataclass(frozen=True)
class Graph:
    """The ops of an artifact in execution order, with every tensor they name.

    Ops that compute on constants alone (expanding compressed weights, arithmetic on shapes) are not listed: their
    results are constants.
    """

    format: str
    """File suffix without a dot: "onnx", "xml", "tflite"."""
    ops: tuple[Op, ...]
    tensors: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @cached_property
    def tensor(self) -> dict[str, Tensor]:
        """Tensors by name."""
        return {tensor.name: tensor for tensor in self.tensors}

    @property
    def batch(self) -> int:
        """Images of one inference: the first axis of the first input that has four axes; 1 where none has."""
        shapes = (self.tensor[name].shape for name in self.inputs)
        return next((shape[0] for shape in shapes if len(shape) == 4), 1)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations for one inference, which is of ``batch`` images."""
        return sum(op.macs for op in self.ops)

    @property
    def params(self) -> int:
        """Number of weights: values of the constants that ops read.

        Counted are floats and integers of 8 bits or less with more than one value, and the integer biases of
        convolutions and linear ops; not single numbers (an epsilon, a scale), indices and shapes. A float model
        has as many as its PyTorch parent, less what the exporter folded away (batch normalization).
        """
        weights = {
            name
            for op in self.ops
            for name in op.inputs
            if self.tensor[name].constant
            and (self.tensor[name].dtype in _WEIGHT_DTYPES or op.kind in ("conv", "depthwise_conv", "linear"))
        }
        sizes = (math.prod(self.tensor[name].shape) for name in weights)
        return sum(size for size in sizes if size > 1)

    @property
    def int8_mac_share(self) -> float:
        """Share of the MACs that multiply int8 by int8, 0..1; 0 for a graph without MACs."""
        total = self.macs
        int8 = sum(op.macs for op in self.ops if op.numerics in ("int8_static", "int8_dynamic"))
        return int8 / total if total else 0.0

    @property
    def layers(self) -> tuple[Op, ...]:
        """Ops with weights and MACs: convolutions and linear layers."""
        return tuple(op for op in self.ops if op.kind in LAYER_KINDS and op.macs)

    @property
    def numerics(self) -> str:
        """Numerics of the layers: those of most MACs of quantized layers, or "static and dynamic int8" where mixed."""
        macs = {words: sum(op.macs for op in self.layers if op.numerics == n) for n, words in _NUMERICS_WORDS.items()}
        if macs["static int8"] and macs["dynamic int8"]:
            return "static and dynamic int8"
        most = max(macs, key=lambda words: macs[words])
        return most if macs[most] else "float"

    @property
    def float_layers(self) -> tuple[str, ...]:
        """Names of the layers kept in float although others are quantized, most weights first; none of a float graph."""
        kept = [op for op in self.layers if op.numerics == "float"]
        if len(kept) == len(self.layers):
            return ()
        return tuple(op.name for op in sorted(kept, key=self.weights_of, reverse=True))

    @property
    def float_layer_count(self) -> int:
        """Number of ``float_layers``."""
        return len(self.float_layers)

    def layer_share(self, numerics: Numerics) -> float:
        """Returns the share, 0..1, of the layers' MACs that are multiplied in such numbers; 0 without layers."""
        total = sum(op.macs for op in self.layers)
        return sum(op.macs for op in self.layers if op.numerics == numerics) / total if total else 0.0

    def weight_share(self, numerics: Numerics) -> float:
        """Returns the share, 0..1, of the layers' weights that are read in such numbers; 0 without layers."""
        sizes = {op.name: self.weights_of(op) for op in self.layers}
        total = sum(sizes.values())
        return sum(sizes[op.name] for op in self.layers if op.numerics == numerics) / total if total else 0.0

    def weights_of(self, op: Op) -> int:
        """Returns the number of values of the largest constant that an op reads."""
        constants = (self.tensor[name] for name in op.inputs if self.tensor[name].constant)
        return max((math.prod(tensor.shape) for tensor in constants), default=0)

    @property
    def conversions(self) -> int:
        """Ops that convert between number formats."""
        return sum(op.kind == "quantize" for op in self.ops)


_NUMERICS_WORDS: dict[Numerics, str] = {
    "int8_static": "static int8",
    "int8_dynamic": "dynamic int8",
    "int16_static": "static int16",
    "int8_weights": "weights only",
}


def folded_constant(output: Tensor, inputs: Iterable[Tensor]) -> Tensor | None:
    """Folds an op on constants, without its values.

    Args:
        output: Output of the op, as the file declares it.
        inputs: Its inputs.

    Returns:
        ``output`` as a constant, stored in the dtype of its largest input if that has as many values, so that int8
        weights behind "convert, subtract zero point, multiply by scale" stay int8; None unless every input is a
        constant.
    """
    sources = list(inputs)
    if not sources or not all(source.constant for source in sources):
        return None
    largest = max(sources, key=lambda source: math.prod(source.shape))
    same_values = math.prod(largest.shape) == math.prod(output.shape)
    dtype = largest.dtype if same_values else output.dtype
    return replace(output, dtype=dtype, size_bytes=size_bytes(output.shape, dtype), constant=True)
