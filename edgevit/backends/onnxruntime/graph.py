"""Reads the ops and tensors of an ONNX file, also one that ONNX Runtime's optimizer or quantizer has rewritten."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, inliner, numpy_helper, shape_inference

from edgevit.backends.onnxruntime.files import external_files
from edgevit.backends.onnxruntime.fused_ops import attention_widths, attribute, stand_in
from edgevit.errors import OpenShapes, UsageError
from edgevit.results.graph import Graph, Op, Tensor, folded_constant, size_bytes
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics

_NAMES: dict[OpKind, str] = {
    "elementwise": (
        "Add Sub Mul Div Pow Sqrt Reciprocal Exp Log Abs Neg Max Min Floor Ceil Round Sign Sin Cos Mod Sum Less "
        "LessOrEqual Greater GreaterOrEqual Equal And Or Not Xor Where Cast CastLike Trilu QLinearAdd QLinearMul "
        "BiasAdd"
    ),
    "activation": (
        "Relu LeakyRelu PRelu Elu Selu Gelu Erf Sigmoid HardSigmoid HardSwish Softplus Softsign Mish Tanh Clip "
        "FastGelu BiasGelu QuickGelu QLinearSigmoid QLinearLeakyRelu Swish"
    ),
    "softmax": "Softmax LogSoftmax QLinearSoftmax",
    "normalization": (
        "LayerNormalization SkipLayerNormalization SimplifiedLayerNormalization SkipSimplifiedLayerNormalization "
        "RMSNormalization BatchNormalization InstanceNormalization GroupNormalization LpNormalization LRN"
    ),
    "reduction": (
        "ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp "
        "ArgMax ArgMin CumSum"
    ),
    "pooling": (
        "AveragePool MaxPool GlobalAveragePool GlobalMaxPool LpPool QLinearGlobalAveragePool QLinearAveragePool"
    ),
    "reshape": "Reshape Flatten Squeeze Unsqueeze Identity Dropout",
    "layout": (
        "Transpose Slice Concat Pad Split Tile Expand DepthToSpace SpaceToDepth Resize Upsample QLinearConcat "
        "ReorderInput ReorderOutput"
    ),
    "gather": "Gather GatherElements GatherND OneHot ScatterElements ScatterND",
    "topk": "TopK",
    "quantize": "QuantizeLinear DequantizeLinear DynamicQuantizeLinear",
    "constant": "Constant ConstantOfShape Shape Size Range EyeLike",
    "conv": "Conv ConvTranspose ConvInteger QLinearConv FusedConv",
    "linear": "Gemm FusedGemm QGemm",
    "matmul": (
        "MatMul MatMulInteger QLinearMatMul FusedMatMul TransposeMatMul DynamicQuantizeMatMul MatMulIntegerToFloat "
        "MatMulNBits Einsum Attention QAttention MultiHeadAttention"
    ),
}
"""Native names of each kind; what is not named is "other"."""
_KINDS: dict[str, OpKind] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_DATA_INPUTS: dict[str, tuple[int, ...]] = {
    "QuantizeLinear": (0,),
    "DequantizeLinear": (0,),
    "ConvInteger": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearConv": (0, 3, 8),
    "QLinearMatMul": (0, 3),
    "QLinearAdd": (0, 3),
    "QLinearMul": (0, 3),
    "QLinearSigmoid": (0,),
    "QLinearLeakyRelu": (0,),
    "QLinearSoftmax": (0,),
    "QLinearGlobalAveragePool": (0,),
    "QLinearAveragePool": (0,),
    "QGemm": (0, 3, 6),
    "QAttention": (0, 1, 2),
    "DynamicQuantizeMatMul": (0, 1, 4),
    "MatMulIntegerToFloat": (0, 1, 6),
    "MatMulNBits": (0, 1),
}
"""Positions of data, weights and biases among the inputs of quantized ops; the rest are scales and zero points."""
_MOST_SHAPE_VALUES = 4096
"""Initializers with more values than this are never shapes, so shape inference does not need their values."""


def read_graph(path: Path) -> Graph:
    """Reads an ONNX model with static shapes; an open batch size is taken as 1.

    Shapes are inferred, not taken from the file. Functions are inlined; bodies of loops and branches are not entered.

    Raises:
        UsageError: the file cannot be read, is no ONNX model, is damaged, lacks its external data, or has shapes that
            are open or cannot be inferred (:class:`edgevit.errors.OpenShapes`).
    """
    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "give a file that can be read") from error
    except DecodeError as error:
        raise UsageError(f"{path} is not an ONNX model, or is damaged: {error}", "export it again") from error
    if not model.graph.node or not model.opset_import:
        raise UsageError(f"{path} is not an ONNX model: it has no ops", "export it again")
    external_files(path)
    try:
        if model.functions:
            model = inliner.inline_local_functions(model)
        return _Reader(model, path).graph()
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise UsageError(
            f"{path} is damaged: an op lacks what it needs ({type(error).__name__}: {error})", "export it again"
        ) from error


def family(native: str) -> OpKind:
    """Returns the family of an op by its name alone; a product is a "matmul" whether or not a factor is constant."""
    return _KINDS.get(native, "other")


def data_inputs(native: str) -> tuple[int, ...]:
    """Returns the positions of the data and the weights among the inputs of an op with two factors."""
    return _DATA_INPUTS.get(native, (0, 1))


_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")
"""Of the ops that ONNX Runtime has."""


class _Reader:
    def __init__(self, model: onnx.ModelProto, path: Path) -> None:
        self._model = model
        self._path = path
        self._tensors: dict[str, Tensor] = {}
        self._producer: dict[str, onnx.NodeProto] = {}
        """What computed each tensor, folded ops included."""
        self._initializers = {initializer.name: initializer for initializer in model.graph.initializer}
        self._declared = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
        for initializer in model.graph.initializer:
            self._add(initializer.name, tuple(initializer.dims), initializer.data_type, constant=True)
        self._inferred = self._infer()

    def graph(self) -> Graph:
        source = self._model.graph
        inputs = tuple(value.name for value in source.input if value.name not in self._tensors)
        for name in inputs:
            self._declare(name)
        read = {name for node in source.node for name in node.input} | {value.name for value in source.output}
        ops: list[Op] = []
        for position, node in enumerate(source.node):
            op = self._op(node, position, read)
            if op is not None:
                ops.append(op)
        outputs = tuple(value.name for value in source.output)
        named = {*inputs, *outputs, *(name for op in ops for name in (*op.inputs, *op.outputs))}
        tensors = tuple(tensor for name, tensor in self._tensors.items() if name in named)
        return Graph(format="onnx", ops=tuple(ops), tensors=tensors, inputs=inputs, outputs=outputs)

    def _op(self, node: onnx.NodeProto, position: int, read: set[str]) -> Op | None:
        """Reads one node; None for one that is folded into a constant."""
        outputs = [
            self._declare(name, node.op_type) for name in node.output if name and (name in read or self._known(name))
        ]
        self._producer.update({tensor.name: node for tensor in outputs})
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            outputs = [self._quantized(tensor, node) for tensor in outputs]
        names = [name for name in node.input if name]
        if node.op_type in _DATA_INPUTS:
            names = [node.input[i] for i in _DATA_INPUTS[node.op_type] if i < len(node.input) and node.input[i]]
        inputs = [self._tensor(name, node) for name in names]
        folded = [folded_constant(tensor, inputs) for tensor in outputs]
        if (
            node.op_type == "QuantizeLinear" and inputs[0].constant
        ):  # float weights in the file, which a runtime stores as integers
            folded = [replace(tensor, constant=True) for tensor in outputs]
        if node.op_type in ("Constant", "Shape", "Size"):
            folded = [Tensor(t.name, t.shape, t.dtype, t.size_bytes, constant=True) for t in outputs]
        if folded and all(folded):
            self._tensors.update({constant.name: constant for constant in folded if constant})
            return None
        kind = family(node.op_type)
        if node.op_type == "MatMulNBits":
            self._unpack(node)
        macs = self._macs(node, kind, outputs) if kind in ("conv", "linear", "matmul") else 0
        return Op(
            name=node.name or f"{node.op_type}:{position}",
            native=node.op_type,
            kind=self._exact_kind(node, kind, inputs, macs),
            inputs=tuple(names),
            outputs=tuple(tensor.name for tensor in outputs),
            macs=macs,
            numerics=self._numerics(node, kind, inputs),
            foreign=node.domain not in _DOMAINS,
        )

    def _add(self, name: str, shape: tuple[int, ...], elem_type: int, constant: bool) -> Tensor:
        dtype = TensorProto.DataType.Name(elem_type).lower()
        dtype = {"float": "float32", "double": "float64", "string": "object"}.get(dtype, dtype)
        tensor = Tensor(name, shape, dtype, size_bytes(shape, dtype), constant)
        self._tensors[name] = tensor
        return tensor

    def _quantized(self, made: Tensor, node: onnx.NodeProto) -> Tensor:
        """Records how the integers on one side of a conversion are quantized; without a zero point they are as their type is."""
        integers = made if node.op_type == "QuantizeLinear" else self._tensor(node.input[0], node)
        zeros = self._initializers.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        scale = self._tensors.get(node.input[1])
        found = replace(
            made,
            scales=math.prod(scale.shape) if scale else 1,
            asymmetric=integers.dtype.startswith("uint") or (zeros is not None and _is_nonzero(zeros)),
        )
        self._tensors[made.name] = found
        return found

    def _tensor(self, name: str, node: onnx.NodeProto) -> Tensor:
        if name not in self._tensors:
            reader = f"{node.op_type} {node.name!r}"
            raise UsageError(
                f"{self._path} is damaged: {reader} reads {name!r}, which nothing makes", "export it again"
            )
        return self._tensors[name]

    def _known(self, name: str) -> bool:
        return _static_shape(self._inferred.get(name)) is not None

    def _declare(self, name: str, maker: str = "") -> Tensor:
        """Records a tensor that an op makes, or else an input of the graph, with its inferred shape."""
        for value in (self._inferred.get(name), self._declared.get(name)):
            shape = _static_shape(value)
            if value is not None and shape is not None:
                return self._add(name, shape, value.type.tensor_type.elem_type, constant=False)
        raise OpenShapes(
            f"{self._path}: the shape of {name!r} is open or cannot be inferred",
            "export the model with static shapes, batch 1, before ONNX Runtime optimizes it for one machine",
            f"{name}, which {maker} makes" if maker else name,
        )

    def _infer(self) -> dict[str, onnx.ValueInfoProto]:
        """Infers every shape from the inputs and constants alone; other shapes in the file may be wrong."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        for initializer in graph.initializer:
            if math.prod(initializer.dims) > _MOST_SHAPE_VALUES:
                for values in ("raw_data", "float_data", "int32_data", "int64_data"):
                    initializer.ClearField(values)
        del graph.value_info[:]
        for value in graph.input:
            dims = value.type.tensor_type.shape.dim
            if len(dims) > 0 and not dims[0].HasField("dim_value"):
                dims[0].dim_value = 1
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")
        constants = {name: tensor.shape for name, tensor in self._tensors.items()}
        versions = {"" if e.domain == "ai.onnx" else e.domain: e.version for e in model.opset_import}
        nodes = [
            known
            for node in graph.node
            for known in ([node] if _is_standard(node, versions) else stand_in(node, constants, model))
        ]
        del graph.node[:]
        graph.node.extend(nodes)
        try:
            graph = shape_inference.infer_shapes(model, data_prop=True).graph
        except shape_inference.InferenceError as error:
            raise UsageError(
                f"{self._path}: shapes cannot be inferred: {' '.join(str(error).split())}", "export the model again"
            ) from error
        return {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}

    def _unpack(self, node: onnx.NodeProto) -> None:
        """Replaces the shape [out, blocks, bytes] of packed weights of MatMulNBits by the unpacked one, [in, out]."""
        packed = self._tensors[node.input[1]]
        shape = (int(attribute(node, "K", 0)), int(attribute(node, "N", 0)))
        bits = int(attribute(node, "bits", 4))
        self._tensors[packed.name] = Tensor(packed.name, shape, f"uint{bits}", packed.size_bytes, constant=True)

    def _shape(self, node: onnx.NodeProto, position: int) -> tuple[int, ...]:
        return self._tensor(node.input[position], node).shape

    def _macs(self, node: onnx.NodeProto, kind: OpKind, outputs: list[Tensor]) -> int:
        made = outputs[0].shape
        if node.op_type == "ConvTranspose":  # weights [in, out / groups, ...]
            return math.prod(self._shape(node, 0)) * math.prod(self._shape(node, 1)[1:])
        if kind == "conv":  # weights [out, in / groups, ...]
            return math.prod(made) * math.prod(self._shape(node, _second(node))[1:])
        if node.op_type in ("Attention", "QAttention", "MultiHeadAttention"):
            return self._attention_macs(node, made)
        if node.op_type == "Einsum":
            shapes = [self._shape(node, position) for position in range(len(node.input))]
            return _einsum_macs(attribute(node, "equation", b"").decode(), shapes, made)
        data = self._shape(node, 0)
        transposed = attribute(node, "transA", 0)
        return math.prod(made) * (data[-2] if transposed and len(data) > 1 else data[-1])

    def _attention_macs(self, node: onnx.NodeProto, made: tuple[int, ...]) -> int:
        """Returns the MACs of scaled dot product attention, and of the projection that com.microsoft's ops include.

        Past keys are not counted.
        """
        if node.op_type != "MultiHeadAttention" and node.domain == "com.microsoft":
            batch, length, hidden = self._shape(node, 0)  # weights [hidden, query + key + value]
            query, key, value = attention_widths(node, self._shape(node, 1))
            return batch * length * (hidden * (query + key + value) + length * (query + value))
        query_shape = self._shape(node, 0)  # [batch, length, hidden], or [batch, heads, length, width]
        key_shape = self._shape(node, 1) if len(node.input) > 1 and node.input[1] else query_shape
        if len(query_shape) == 5:  # packed as [batch, length, heads, 3, width]
            batch, length, heads, _, width = query_shape
            return 2 * batch * heads * length * length * width
        keys = key_shape[-2] if len(key_shape) != 5 else key_shape[1]
        return math.prod(query_shape[:-1]) * keys * (query_shape[-1] + made[-1])

    def _exact_kind(self, node: onnx.NodeProto, kind: OpKind, inputs: list[Tensor], macs: int) -> OpKind:
        if kind == "conv":
            weights, groups = self._shape(node, _second(node)), attribute(node, "group", 1)
            return "depthwise_conv" if groups > 1 and weights[1] == 1 else "conv"
        if kind in ("linear", "matmul") and "Attention" not in node.op_type:
            if macs == 0:  # an Einsum that only permutes or multiplies
                return "elementwise"
            return "linear" if any(tensor.constant for tensor in inputs[:2]) else "matmul"
        return kind

    def _numerics(self, node: onnx.NodeProto, kind: OpKind, inputs: list[Tensor]) -> Numerics:
        made_by = {tensor.name: self._producer.get(tensor.name) for tensor in inputs}
        if node.op_type in ("ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "QAttention"):
            source = made_by[inputs[0].name]
            return "int8_dynamic" if source is not None and source.op_type == "DynamicQuantizeLinear" else "int8_static"
        if node.op_type == "DynamicQuantizeMatMul":
            return "int8_dynamic"
        if node.op_type == "MatMulNBits":
            return "int8_dynamic" if attribute(node, "accuracy_level", 0) == 4 else "int8_weights"
        if node.op_type.startswith("Q") and node.op_type not in ("QuantizeLinear", "QuickGelu"):
            return "int8_static"

        def is_int8(tensor: Tensor) -> bool:
            source = made_by[tensor.name]
            if source is not None and source.op_type == "DequantizeLinear":
                return self._tensors[source.input[0]].narrow or tensor.narrow
            return tensor.narrow

        if kind not in ("conv", "linear", "matmul"):
            data = [tensor for tensor in inputs if not tensor.constant]
            return "int8_static" if data and all(is_int8(tensor) for tensor in data) else "float"
        factors = inputs[:2]
        if len(factors) == 2 and all(is_int8(tensor) for tensor in factors):
            return "int8_static"
        return "int8_weights" if any(tensor.constant and tensor.narrow for tensor in factors) else "float"


@cache
def _first_versions() -> dict[tuple[str, str], int]:
    """Returns the version of its domain in which each op of onnx was introduced, by domain and name."""
    first: dict[tuple[str, str], int] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        key = (schema.domain, schema.name)
        first[key] = min(schema.since_version, first.get(key, schema.since_version))
    return first


def _is_nonzero(values: onnx.TensorProto) -> bool:
    """Whether a zero point, which is stored in the file itself, is another number than 0 anywhere."""
    if values.data_location == TensorProto.EXTERNAL:
        return True  # nobody stores so few values outside; what is not known does not pass
    return bool(numpy_helper.to_array(values).any())


def _is_standard(node: onnx.NodeProto, versions: dict[str, int]) -> bool:
    """Returns whether the op existed in the version of its domain that the model imports."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    first = _first_versions().get((domain, node.op_type))
    return first is not None and first <= versions.get(domain, 0)


def _static_shape(value: onnx.ValueInfoProto | None) -> tuple[int, ...] | None:
    if value is None or not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value for dim in dims) if all(dim.HasField("dim_value") for dim in dims) else None


def _second(node: onnx.NodeProto) -> int:
    """Returns the position of the weights among the inputs of a convolution."""
    return data_inputs(node.op_type)[1]


def _einsum_macs(equation: str, shapes: list[tuple[int, ...]], made: tuple[int, ...]) -> int:
    """Returns the MACs of an Einsum: output elements times the lengths of the summed axes; 0 if none is summed."""
    left, _, right = equation.replace(" ", "").partition("->")
    lengths: dict[str, int] = {}
    for term, shape in zip(left.split(","), shapes, strict=True):
        before, _, after = term.partition("...")
        lengths.update(zip(before, shape, strict=False))
        if "..." in term:
            lengths.update(zip(reversed(after), reversed(shape), strict=False))
    kept = set(re.sub(r"\.", "", right)) if right or "->" in equation else {x for x in lengths if left.count(x) == 1}
    summed = [length for axis, length in lengths.items() if axis not in kept]
    return math.prod(made) * math.prod(summed) if summed else 0
