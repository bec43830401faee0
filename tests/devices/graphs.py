"""Graphs of one op that tests of devices share."""

from __future__ import annotations

from edgevit.results.graph import Graph, Op, Tensor, size_bytes
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics


def tensor(name: str, shape: tuple[int, ...], dtype: str = "float32", constant: bool = False) -> Tensor:
    """Returns a tensor with the size that its shape and dtype have."""
    return Tensor(name, shape, dtype, size_bytes(shape, dtype), constant)


def layer(
    macs: int = 10**9,
    numerics: Numerics = "float",
    kind: OpKind = "conv",
    native: str = "CONV_2D",
    weights: int = 1000,
    data: int = 1000,
    format: str = "tflite",
) -> Graph:
    """Returns a graph of one op with that many weights, and that many values in its input and in its output."""
    dtype = "int8" if numerics == "int8_static" else "float32"
    stored = "float32" if numerics == "float" else "int8"
    tensors = (tensor("x", (1, data), dtype), tensor("w", (weights,), stored, True), tensor("y", (1, data), dtype))
    op = Op("op", native, kind, ("x", "w"), ("y",), macs, numerics)
    return Graph(format, (op,), tensors, ("x",), ("y",))
