"""Reads the ops and tensors of an OpenVINO IR (``.xml`` with its ``.bin``)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import openvino

from edgevit.errors import OpenShapes, UsageError
from edgevit.results.graph import Graph, Op, Tensor, folded_constant, size_bytes
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics

_DTYPES = {
    **{f"f{bits}": f"float{bits}" for bits in (16, 32, 64)},
    **{f"i{bits}": f"int{bits}" for bits in (2, 4, 8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (2, 4, 8, 16, 32, 64)},
    "bf16": "bfloat16",
    "boolean": "bool",
}
_NAMES: dict[OpKind, str] = {
    "elementwise": (
        "Add Subtract Multiply Divide Power Sqrt Exp Log Abs Negative Maximum Minimum SquaredDifference Floor "
        "Ceiling Round Sign Sin Cos Mod FloorMod Less LessEqual Greater GreaterEqual Equal NotEqual LogicalAnd "
        "LogicalOr LogicalNot LogicalXor Select Convert ConvertLike"
    ),
    "activation": (
        "Relu PRelu Elu Selu Gelu Erf Sigmoid HSigmoid HSwish Swish SoftSign SoftPlus Mish Tanh Clamp HardSigmoid"
    ),
    "softmax": "Softmax LogSoftmax",
    "normalization": "MVN BatchNormInference GroupNormalization NormalizeL2 LRN RMS LayerNorm",
    "reduction": (
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogicalAnd ReduceLogicalOr CumSum"
    ),
    "pooling": "MaxPool AvgPool AdaptiveAvgPool AdaptiveMaxPool",
    "reshape": "Reshape Squeeze Unsqueeze",
    "layout": (
        "Transpose Slice StridedSlice Concat Pad Split VariadicSplit Tile Broadcast ShuffleChannels DepthToSpace "
        "SpaceToDepth BatchToSpace SpaceToBatch Interpolate Reverse Roll"
    ),
    "gather": ("Gather GatherND GatherElements OneHot ScatterUpdate ScatterElementsUpdate ScatterNDUpdate"),
    "topk": "TopK",
    "quantize": "FakeQuantize FakeConvert",
    "constant": "ShapeOf Range Constant",
    "conv": "Convolution ConvolutionBackpropData GroupConvolution GroupConvolutionBackpropData",
    "matmul": "MatMul ScaledDotProductAttention",
}
"""Native names of each kind; what is not named is "other"."""
_KINDS: dict[str, OpKind] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_MULTIPLIES = ("conv", "matmul")
_MOVES = ("reshape", "layout", "gather", "pooling")
"""Kinds through which int8 values pass unchanged."""


def read_graph(path: Path) -> Graph:
    """Reads an OpenVINO IR; a batch size that the file leaves open is taken as 1.

    Weights are recognised behind the ops that expand compressed constants (Convert, Subtract, Multiply, Reshape).
    An op is int8 if it reads FakeQuantize ops, or ops that only move the outputs of these, together with int8 weights:
    that is what the CPU plugin computes in int8. Attention of which only query and key are int8 counts as float.
    Bodies of loops and branches are not entered.

    Raises:
        UsageError: the file or its ``.bin`` cannot be read, is no OpenVINO IR, is damaged, or has open shapes.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "give a file that can be read") from error
    if b"<net" not in head:
        raise UsageError(f"{path} is not an OpenVINO IR", 'such a file is XML that begins with a "net" element')
    try:
        model = openvino.Core().read_model(path)
        _close_batch(model)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip() if str(error).strip() else "no reason given"
        raise UsageError(
            f"{path} cannot be read as an OpenVINO IR: {reason}",
            "it may have been cut, or lack its .bin file of the same name; export it again",
        ) from error
    return _Reader(path).graph(model)


def _close_batch(model: Any) -> None:
    shapes = {}
    for port in model.inputs:
        shape = port.get_partial_shape()
        if shape.rank.is_static and len(shape) > 0 and shape[0].is_dynamic:
            shape[0] = 1
            shapes[port] = shape
    if shapes:
        model.reshape(shapes)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._tensors: dict[str, Tensor] = {}
        self._int8: set[str] = set()
        """Tensors of 8-bit integers, or of floats that the plugin computes as such."""

    def graph(self, model: Any) -> Graph:
        ops: list[Op] = []
        for node in model.get_ordered_ops():
            native = node.get_type_name()
            if native == "Result":
                continue
            outputs = [self._declare(port, native == "Constant") for port in node.outputs()]
            if native in ("Parameter", "Constant"):
                self._int8.update(tensor.name for tensor in outputs if tensor.narrow)
                continue
            inputs = [self._tensors[_name(port.get_source_output())] for port in node.inputs()]
            kind = _KINDS.get(native, "other")
            self._track_int8(kind, inputs, outputs)
            folded = [folded_constant(tensor, inputs) for tensor in outputs]
            if native == "ShapeOf":
                folded = [Tensor(t.name, t.shape, t.dtype, t.size_bytes, True) for t in outputs]
            if folded and all(folded):
                self._tensors.update({constant.name: constant for constant in folded if constant})
                continue
            ops.append(
                Op(
                    name=node.get_friendly_name(),
                    native=native,
                    kind=_exact_kind(native, kind, inputs),
                    inputs=tuple(tensor.name for tensor in inputs),
                    outputs=tuple(tensor.name for tensor in outputs),
                    macs=_macs(node, native, inputs, outputs),
                    numerics=self._numerics(native, kind, inputs),
                )
            )
        inputs_of_graph = tuple(_name(port) for port in model.inputs)
        outputs_of_graph = tuple(_name(port.get_node().input(0).get_source_output()) for port in model.outputs)
        named = {*inputs_of_graph, *outputs_of_graph, *(name for op in ops for name in (*op.inputs, *op.outputs))}
        return Graph(
            format="xml",
            ops=tuple(ops),
            tensors=tuple(tensor for name, tensor in self._tensors.items() if name in named),
            inputs=inputs_of_graph,
            outputs=outputs_of_graph,
        )

    def _declare(self, port: Any, constant: bool) -> Tensor:
        name, partial = _name(port), port.get_partial_shape()
        if partial.is_dynamic:
            hint = "export the model with static shapes, batch 1"
            raise OpenShapes(f"{self._path}: {name} has the open shape {partial}", hint, name)
        shape = tuple(int(length) for length in partial.to_shape())
        native = port.get_element_type().get_type_name()
        dtype = _DTYPES.get(native, native)
        tensor = Tensor(name, shape, dtype, size_bytes(shape, dtype), constant)
        self._tensors[name] = tensor
        return tensor

    def _track_int8(self, kind: OpKind, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        """Marks the outputs of an op as int8 if it quantizes, only moves int8, or expands int8 constants."""
        data = [tensor for tensor in inputs if not tensor.constant]
        moves = kind in _MOVES and data and all(tensor.name in self._int8 for tensor in data)
        expands = not data and any(tensor.name in self._int8 for tensor in inputs)
        if kind == "quantize" or moves or expands:
            self._int8.update(tensor.name for tensor in outputs)

    def _numerics(self, native: str, kind: OpKind, inputs: list[Tensor]) -> Numerics:
        if kind not in _MULTIPLIES:
            data = [tensor for tensor in inputs if not tensor.constant]
            return "int8_static" if data and all(tensor.name in self._int8 for tensor in data) else "float"
        factors = inputs[:3] if native == "ScaledDotProductAttention" else inputs[:2]
        if all(tensor.name in self._int8 for tensor in factors):
            return "int8_static"
        return "int8_weights" if any(t.constant and t.name in self._int8 for t in factors) else "float"


def _name(port: Any) -> str:
    node = port.get_node()
    name = str(node.get_friendly_name())
    return name if len(node.outputs()) == 1 else f"{name}:{port.get_index()}"


def _exact_kind(native: str, kind: OpKind, inputs: list[Tensor]) -> OpKind:
    if native.startswith("GroupConvolution"):  # weights [groups, out or in / groups, in or out / groups, ...]
        groups, *channels = inputs[1].shape[:3]
        return "depthwise_conv" if groups > 1 and 1 in channels else "conv"
    if native == "MatMul":
        return "linear" if inputs[0].constant or inputs[1].constant else "matmul"
    return kind


def _macs(node: Any, native: str, inputs: list[Tensor], outputs: list[Tensor]) -> int:
    if native == "MatMul":
        return math.prod(outputs[0].shape) * _contracted(inputs[0].shape, node.get_attributes()["transpose_a"])
    if native == "ScaledDotProductAttention":  # [..., L, E] x [..., S, E] x [..., S, Ev] -> [..., L, Ev]
        query, key, made = inputs[0].shape, inputs[1].shape, outputs[0].shape
        return math.prod(made[:-1]) * key[-2] * (query[-1] + made[-1])
    if native == "Convolution":  # weights [out, in, ...]
        return math.prod(outputs[0].shape) * math.prod(inputs[1].shape[1:])
    if native == "GroupConvolution":  # weights [groups, out / groups, in / groups, ...]
        return math.prod(outputs[0].shape) * math.prod(inputs[1].shape[2:])
    if native == "ConvolutionBackpropData":  # weights [in, out, ...]
        return math.prod(inputs[0].shape) * math.prod(inputs[1].shape[1:])
    if native == "GroupConvolutionBackpropData":  # weights [groups, in / groups, out / groups, ...]
        return math.prod(inputs[0].shape) * math.prod(inputs[1].shape[2:])
    return 0


def _contracted(shape: tuple[int, ...], transposed: bool) -> int:
    """Returns the length of the axis that a matrix product sums over, from the shape of the left factor."""
    return shape[-2] if transposed and len(shape) > 1 else shape[-1]
