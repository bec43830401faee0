"""Reads the ops and tensors of a ``.tflite`` file (schema version 3) from its flatbuffer, without a runtime."""

from __future__ import annotations

import math
import struct
from pathlib import Path

from edgevit.backends.litert.tables import TYPE_NAMES, Model, Operator, Subgraph, read_model
from edgevit.errors import OpenShapes, UsageError
from edgevit.results.graph import Graph, Op, Tensor, folded_constant, size_bytes
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics

_IDENTIFIER = b"TFL3"
_PARSE_ERRORS = (struct.error, IndexError, KeyError, ValueError, AttributeError, OverflowError)
"""What reading a flatbuffer with invalid offsets raises."""

_DTYPES = {name: {"STRING": "object"}.get(name, name.lower()) for name in TYPE_NAMES}

_NAMES: dict[OpKind, str] = {
    "elementwise": (
        "ADD SUB MUL DIV SQUARED_DIFFERENCE RSQRT SQRT SQUARE EXP LOG POW NEG ABS MAXIMUM MINIMUM FLOOR FLOOR_DIV "
        "FLOOR_MOD CEIL ROUND SIGN SIN COS LESS LESS_EQUAL GREATER GREATER_EQUAL EQUAL NOT_EQUAL LOGICAL_AND "
        "LOGICAL_OR LOGICAL_NOT SELECT SELECT_V2 CAST ADD_N"
    ),
    "activation": ("RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU PRELU ELU GELU HARD_SWISH LOGISTIC TANH"),
    "softmax": "SOFTMAX LOG_SOFTMAX",
    "normalization": "L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION",
    "reduction": ("MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_ANY REDUCE_ALL ARG_MAX ARG_MIN CUMSUM"),
    "pooling": "AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D",
    "reshape": "RESHAPE SQUEEZE EXPAND_DIMS",
    "layout": (
        "TRANSPOSE SLICE STRIDED_SLICE CONCATENATION PAD PADV2 MIRROR_PAD PACK UNPACK SPLIT SPLIT_V TILE "
        "BROADCAST_TO DEPTH_TO_SPACE SPACE_TO_DEPTH BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND RESIZE_BILINEAR "
        "RESIZE_NEAREST_NEIGHBOR REVERSE_V2 DYNAMIC_UPDATE_SLICE"
    ),
    "gather": "GATHER GATHER_ND EMBEDDING_LOOKUP ONE_HOT SCATTER_ND",
    "topk": "TOPK_V2 STABLEHLO_SORT",
    "quantize": "QUANTIZE DEQUANTIZE FAKE_QUANT DENSIFY",
    "constant": "SHAPE RANK RANGE FILL ZEROS_LIKE BROADCAST_ARGS",
    "conv": "CONV_2D TRANSPOSE_CONV CONV_3D CONV_3D_TRANSPOSE",
    "depthwise_conv": "DEPTHWISE_CONV_2D",
    "linear": "FULLY_CONNECTED",
    "matmul": "BATCH_MATMUL",
}
"""Native names of each kind; what is not named is "other"."""
_KINDS: dict[str, OpKind] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_WEIGHTS_AT = {name: 1 for name, kind in _KINDS.items() if kind in ("conv", "depthwise_conv", "linear", "matmul")}
"""Which input of an op with MACs is the weights, or the second matrix; the data is ``_DATA_AT``, otherwise input 0."""
_CUSTOM_OF_RUNTIME = ("TFLite_Detection_PostProcess", "NumericVerify", "Mfcc", "AudioSpectrogram")
"""Custom ops that the runtime has."""
_ADJ_X, _DECOMPOSITION = 0, 1
"""Fields of the options: of BATCH_MATMUL, whether the first matrix is transposed; of a composite, which subgraph it calls."""
_DATA_AT = {"TRANSPOSE_CONV": 2, "CONV_3D_TRANSPOSE": 2}


def read_graph(path: Path) -> Graph:
    """Reads the first (main) subgraph of a TensorFlow Lite model.

    The MACs of a composite are those of the subgraph that it calls. Custom and Flex ops keep their own names.

    Raises:
        UsageError: the file cannot be read, is not a TensorFlow Lite model, is damaged, or has an input whose shape is
            open.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "give a file that can be read") from error
    if content[4:8] != _IDENTIFIER:
        raise UsageError(f"{path} is not a TensorFlow Lite model", 'such a file has "TFL3" as its bytes 4 to 7')
    try:
        return _Reader(read_model(content)).graph(0)
    except _PARSE_ERRORS as error:
        raise UsageError(
            f"{path} is damaged: its flatbuffer cannot be parsed ({error or type(error).__name__})",
            "it may have been cut while it was copied; export it again",
        ) from error


def family(native: str) -> OpKind:
    """Returns the family of an op by its name alone; see :func:`read_graph` for what its operands decide."""
    return _KINDS.get(native, "other")


class _Reader:
    """Walks a parsed model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._open: list[int] = []
        """Subgraphs being read, outermost first."""

    def graph(self, index: int) -> Graph:
        """Reads one subgraph; raises ValueError if it contains itself."""
        if index in self._open:
            raise ValueError(f"subgraph {index} contains itself")
        self._open.append(index)
        graph = self._graph(self._model.subgraphs[index])
        self._open.pop()
        return graph

    def _graph(self, subgraph: Subgraph) -> Graph:
        tensors = self._tensors(subgraph)
        ops: list[Op] = []
        expanded: set[str] = set()
        for position, operator in enumerate(subgraph.operators):
            native = self._native(operator)
            inputs = [tensors[i] for i in _indices(operator.inputs)]
            outputs = _indices(operator.outputs)
            folded = [folded_constant(tensors[i], inputs) for i in outputs]
            if folded and all(folded):
                tensors.update({i: constant for i, constant in zip(outputs, folded, strict=True) if constant})
                if native == "DEQUANTIZE":
                    expanded.add(tensors[outputs[0]].name)
                continue
            weights, data = _operands(native, operator.inputs, tensors)
            ops.append(
                Op(
                    name=f"{native}:{position}",
                    native=native,
                    kind=_kind(native, weights, data),
                    inputs=tuple(tensor.name for tensor in inputs),
                    outputs=tuple(tensors[i].name for i in outputs),
                    macs=self._macs(operator, native, weights, data, [tensors[i] for i in outputs]),
                    numerics=_numerics(weights, data, inputs, expanded),
                    foreign=self._is_custom(operator) and native not in _CUSTOM_OF_RUNTIME,
                )
            )
        inputs_of_graph = tuple(tensors[i].name for i in _indices(subgraph.inputs))
        outputs_of_graph = tuple(tensors[i].name for i in _indices(subgraph.outputs))
        named = {*inputs_of_graph, *outputs_of_graph, *(name for op in ops for name in (*op.inputs, *op.outputs))}
        return Graph(
            format="tflite",
            ops=tuple(ops),
            tensors=tuple(tensor for tensor in tensors.values() if tensor.name in named),
            inputs=inputs_of_graph,
            outputs=outputs_of_graph,
        )

    def _tensors(self, subgraph: Subgraph) -> dict[int, Tensor]:
        """Tensors by index, with unique names: a file may repeat or omit them."""
        tensors: dict[int, Tensor] = {}
        taken: set[str] = set()
        inputs = _indices(subgraph.inputs)
        for index, source in enumerate(subgraph.tensors):
            name = source.name
            if not name or name in taken:
                name = f"{name}#{index}"
            taken.add(name)
            if index in inputs and any(length < 0 for length in source.signature[1:]):  # the first axis counts images
                hint = "convert the model with static shapes, batch 1"
                raise OpenShapes(f"the shape of the input {name!r} is open", hint, name)
            shape, dtype = source.shape, _DTYPES[source.type]
            constant, scales = self._model.buffers[source.buffer].filled, max(1, source.scale_count)
            tensors[index] = Tensor(name, shape, dtype, size_bytes(shape, dtype), constant, scales)
        return tensors

    def _native(self, operator: Operator) -> str:
        code = self._model.codes[operator.code]
        return code.custom or code.builtin if code.builtin == "CUSTOM" else code.builtin

    def _is_custom(self, operator: Operator) -> bool:
        return self._model.codes[operator.code].builtin == "CUSTOM"

    def _macs(
        self, operator: Operator, native: str, weights: Tensor | None, data: Tensor | None, outputs: list[Tensor]
    ) -> int:
        if native == "STABLEHLO_COMPOSITE":
            options = operator.later_options
            return self.graph(0 if options is None else options.number(_DECOMPOSITION, "<i")).macs
        if weights is None or data is None:
            return 0
        made = math.prod(outputs[0].shape)
        if native == "CONV_2D":  # weights [out, h, w, in / groups]
            return made * math.prod(weights.shape[1:])
        if native == "DEPTHWISE_CONV_2D":  # weights [1, h, w, out]
            return made * math.prod(weights.shape[1:3])
        if native == "TRANSPOSE_CONV":  # weights [out, h, w, in]
            return math.prod(data.shape) * math.prod(weights.shape[:3])
        if native == "CONV_3D":  # weights [d, h, w, in / groups, out]
            return made * math.prod(weights.shape[:4])
        if native == "CONV_3D_TRANSPOSE":  # weights [d, h, w, out, in]
            return math.prod(data.shape) * math.prod(weights.shape[:4])
        if native == "FULLY_CONNECTED":  # weights [out, in]
            return made * weights.shape[-1]
        options = operator.options
        return made * data.shape[-2 if options is not None and options.number(_ADJ_X, "<?") else -1]


def _indices(indices: tuple[int, ...]) -> list[int]:
    """Returns tensor indices without the -1 of optional inputs that are not given."""
    return [index for index in indices if index >= 0]


def _operands(native: str, indices: tuple[int, ...], tensors: dict[int, Tensor]) -> tuple[Tensor | None, Tensor | None]:
    """Returns weights (or second matrix) and data of an op with MACs; None for other ops."""
    if native not in _WEIGHTS_AT:
        return None, None
    return tensors[indices[_WEIGHTS_AT[native]]], tensors[indices[_DATA_AT.get(native, 0)]]


def _kind(native: str, weights: Tensor | None, data: Tensor | None) -> OpKind:
    kind = family(native)
    if weights is None or data is None:
        return kind
    if native == "CONV_2D" and weights.shape[-1] == 1 and data.shape[-1] > 1:
        return "depthwise_conv"
    if kind in ("linear", "matmul"):
        return "linear" if weights.constant or data.constant else "matmul"
    return kind


def _numerics(weights: Tensor | None, data: Tensor | None, inputs: list[Tensor], expanded: set[str]) -> Numerics:
    """Returns how LiteRT computes an op: it chooses kernels by the dtypes of their inputs.

    Float data with int8 weights runs as a hybrid kernel, which quantizes the data at run time, unless a DEQUANTIZE
    op has expanded the weights (``expanded`` has their names).
    """
    if weights is None or data is None:
        activations = [tensor for tensor in inputs if not tensor.constant]
        return "int8_static" if activations and all(tensor.narrow for tensor in activations) else "float"
    if weights.narrow and data.narrow:
        return "int8_static"
    if data.dtype == "int16" and (weights.narrow or weights.dtype == "int16"):
        return "int16_static"
    if weights.narrow:
        hybrid = data.dtype == "float32" and weights.name not in expanded
        return "int8_dynamic" if hybrid else "int8_weights"
    return "float"
