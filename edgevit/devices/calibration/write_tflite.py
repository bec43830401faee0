"""Writes a small network as TFLite, in the ops that a conversion from PyTorch gives. Needs NumPy and ai-edge-litert."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgevit.devices.calibration.network import Activation, Layer, Network, Shape
from edgevit.devices.calibration.numbers import Numbers
from edgevit.devices.calibration.values import Values

_DTYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "int32": schema.TensorType.INT32}
_FUSED: dict[Activation, int] = {
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}
_SCALE = 0.04
"""Of int8 activations."""
_SHARES, _MOVES = ("SOFTMAX", "LOGISTIC"), ("RESHAPE", "TRANSPOSE", "SLICE")
"""Ops whose values are between 0 and 1, and ops that only move values and keep their scale."""
_SHARE_SCALE, _SHARE_ZERO = 1 / 256, -128
"""Of int8 values between 0 and 1, as LiteRT's kernels ask for."""


def write_tflite(network: Network, numbers: Numbers, path: Path) -> None:
    """Writes a network.

    Args:
        network: To write.
        numbers: "float"; "int8_static" of a network without attention; or "int8_dynamic".
        path: Of the file.
    """
    writer = _Writer(numbers)
    for layer in network.layers:
        writer.layer(network, layer)
    path.write_bytes(writer.finish())


class _Writer:
    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._static = numbers == "int8_static"
        self._values = Values()
        self._tensors: list[Any] = []
        self._shapes: list[Shape] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._operators: list[Any] = []
        self._codes: dict[int, int] = {}
        self._made: list[int] = []
        """Tensor of each layer."""
        self._input = 0

    def layer(self, network: Network, layer: Layer) -> None:
        """Writes one layer."""
        read = [self._made[place] for place in layer.inputs]
        shape = _placed(layer)
        match layer.kind:
            case "input":
                made = self._image(layer.shape)
            case "conv":
                made = self._conv(read[0], layer)
            case "activation":
                made = self._activate(read[0], layer.activation)
            case "linear":
                last = layer is network.layers[-1]
                made = self._linear(self._dequantized(read[0]) if last else read[0], shape, layer.activation)
            case "norm" | "map_norm":
                made = self._norm(read[0])
            case "attention":
                made = self._attention(read[0], read[-1], layer)
            case "add" | "mul":
                made = self._pair(layer.kind.upper(), read[0], read[1])
            case "mean":
                made = self._mean(read[0], (1, 2))
            case "max_pool" | "avg_pool":
                made = self._pool(read[0], layer)
            case "concat":
                options = schema.ConcatenationOptionsT()
                options.axis = 3
                made = self._op("CONCATENATION", read, shape, options)
            case "flat_tokens":
                channels, height, width = network.read(layer)
                flat = self._transpose(read[0], (0, 3, 1, 2))
                made = self._transpose(self._reshape(flat, (1, channels, height * width)), (0, 2, 1))
            case "flat_map":
                flat = self._transpose(read[0], (0, 2, 1))
                made = self._transpose(self._reshape(flat, (1, *layer.shape)), (0, 2, 3, 1))
            case "last_tokens" | "last_map" | "reshape":
                made = self._reshape(read[0], shape)
            case "transpose":
                made = self._transpose(read[0], layer.axes)
        self._made.append(made)

    def finish(self) -> bytes:
        """Returns the file."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = [self._input], [self._made[-1]]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self._buffers
        model.operatorCodes = []
        for code in self._codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _image(self, shape: Shape) -> int:
        self._input = self._tensor((1, *shape), "float32")
        image = self._op("QUANTIZE", [self._input], (1, *shape), None) if self._static else self._input
        return self._transpose(image, (0, 2, 3, 1))

    def _conv(self, x: int, layer: Layer) -> int:
        _, height, width, channels = self._shapes[x]
        out, window, stride = layer.shape[0], layer.window, layer.stride
        before = (window - 1) // 2 if stride < window else 0
        if stride > 1 and before:
            padded = (1, height + 2 * before, width + 2 * before, channels)
            x = self._op("PAD", [x, self._ints([[0, 0], [before, before], [before, before], [0, 0]])], padded, None)
        same = stride == 1
        padding = schema.Padding.SAME if same else schema.Padding.VALID
        fused = _FUSED.get(layer.activation, 0)
        if layer.groups == channels and channels > 1:
            options = schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = 1
            weights = self._weights((1, window, window, out), window * window, axis=3, x=x)
            name = "DEPTHWISE_CONV_2D"
        else:
            options = schema.Conv2DOptionsT()
            inner = channels // layer.groups
            weights = self._weights((out, window, window, inner), window * window * inner, axis=0, x=x)
            name = "CONV_2D"
        options.padding, options.strideH, options.strideW = padding, stride, stride
        options.dilationHFactor = options.dilationWFactor = 1
        options.fusedActivationFunction = fused
        made = self._op(name, [x, weights, self._bias(out)], _placed(layer), options)
        return made if fused else self._activate(made, layer.activation)

    def _linear(self, x: int, shape: Shape, activation: Activation = "none") -> int:
        width = self._shapes[x][-1]
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = True
        options.fusedActivationFunction = _FUSED.get(activation, 0)
        weights = self._weights((shape[-1], width), width, axis=0, x=x)
        static = self._static and not self._is_float(x)
        made = self._op(
            "FULLY_CONNECTED", [x, weights, self._bias(shape[-1], static)], shape, options, float_=not static
        )
        return made if activation in _FUSED else self._activate(made, activation)

    def _activate(self, x: int, activation: Activation) -> int:
        shape = self._shapes[x]
        match activation:
            case "none":
                return x
            case "relu" | "relu6":
                maker = self._operators[-1]
                if maker.outputs == [x] and hasattr(maker.builtinOptions, "fusedActivationFunction"):
                    maker.builtinOptions.fusedActivationFunction = _FUSED[activation]
                    return x
                return self._op(activation.upper(), [x], shape, None)
            case "hard_swish":
                return self._op("HARD_SWISH", [x], shape, None)
            case "sigmoid":
                return self._op("LOGISTIC", [x], shape, None)
            case "silu":
                return self._pair("MUL", x, self._op("LOGISTIC", [x], shape, None))
            case "gelu":
                return self._op("GELU", [x], shape, schema.GeluOptionsT())
            case "hard_sigmoid":
                shifted = self._op("RELU6", [self._pair("ADD", x, self._number(3.0))], shape, None)
                return self._pair("MUL", shifted, self._number(1 / 6))

    def _norm(self, x: int) -> int:
        shape = self._shapes[x]
        rows, one = (*shape[:-1],), (*shape[:-1], 1)
        mean = self._mean(x, (len(shape) - 1,), keep=False)
        distance = self._pair("SQUARED_DIFFERENCE", x, self._reshape(mean, one))
        variance = self._pair("ADD", self._mean(distance, (len(shape) - 1,), keep=False), self._number(1e-5))
        root = self._op("RSQRT", [variance], rows, None)
        shift = self._pair("SUB", self._number(0.0), self._pair("MUL", mean, root), shape=rows)
        scaled = self._pair("MUL", x, self._reshape(root, one))
        return self._pair("ADD", scaled, self._reshape(shift, one))

    def _attention(self, x: int, of: int, layer: Layer) -> int:
        """Adds attention of ``x`` to the tokens of ``of``."""
        groups, tokens, width = layer.shape
        heads, key, others = layer.heads, layer.key, self._shapes[of][1]
        narrow = heads * key != width
        value = 2 * key if narrow else key
        q, k, v = self._narrow_parts(x, layer) if narrow else self._parts(x, of, layer)
        batch = groups * heads
        turned = not narrow and self._numbers != "float"
        q = self._reshape(q, (batch, tokens, key))
        k = self._reshape(k, (batch, others, key) if turned else (batch, key, others))
        v = self._reshape(v, (batch, others, value))
        scores = self._matmul(q, k, (batch, tokens, others), turned)
        if narrow or (self._numbers == "float" and layer.biased):
            scores = self._pair("MUL", scores, self._number(key**-0.5))
        if layer.biased:
            bias = self._constant(self._values.row((1, heads, tokens, tokens)))
            scores = self._pair("ADD", self._reshape(scores, (groups, heads, tokens, tokens)), bias)
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        shares = self._op("SOFTMAX", [scores], self._shapes[scores], options)
        y = self._matmul(self._reshape(shares, (batch, tokens, others)), v, (batch, tokens, value), False)
        y = self._transpose(self._reshape(y, (groups, heads, tokens, value)), (0, 2, 1, 3))
        y = self._reshape(y, (groups, tokens, heads * value))
        return self._linear(self._activate(y, "hard_swish" if narrow else "none"), layer.shape)

    def _narrow_parts(self, x: int, layer: Layer) -> list[int]:
        """Adds queries, keys, and values that are twice as wide, by one linear layer."""
        groups, tokens, _ = layer.shape
        heads, key = layer.heads, layer.key
        split = self._reshape(self._linear(x, (groups, tokens, 4 * heads * key)), (groups, tokens, heads, 4 * key))
        parts = [self._slice(split, 3, begin, size) for begin, size in ((0, key), (key, key), (2 * key, 2 * key))]
        orders = [(0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3)]
        return [self._transpose(part, order) for part, order in zip(parts, orders, strict=True)]

    def _parts(self, x: int, of: int, layer: Layer) -> list[int]:
        """Adds queries of ``x``, and keys and values of ``of``, by one linear layer where they are the same."""
        groups, tokens, _ = layer.shape
        heads, key, others = layer.heads, layer.key, self._shapes[of][1]
        if of == x:
            parts = self._divided(x, (groups, tokens, 3, heads, key))
        else:
            alone = self._reshape(self._linear(x, layer.shape), (groups, tokens, heads, key))
            parts = [self._transpose(alone, (0, 2, 1, 3)), *self._divided(of, (groups, others, 2, heads, key))]
        if self._numbers != "float":
            return parts
        q = self._reshape(parts[0], (groups, heads, tokens, key))
        k = self._reshape(parts[1], (groups, heads, others, key))
        q, k = (self._pair("MUL", part, self._number(key**-0.25)) for part in (q, k))
        return [q, self._transpose(k, (0, 1, 3, 2)), parts[2]]

    def _divided(self, x: int, shape: Shape) -> list[int]:
        groups, tokens, count, heads, key = shape
        made = self._reshape(self._linear(x, (groups, tokens, count * heads * key)), shape)
        made = self._transpose(made, (2, 0, 3, 1, 4))
        return [self._slice(made, 0, place, 1) for place in range(count)]

    def _matmul(self, x: int, y: int, shape: Shape, turned: bool) -> int:
        options = schema.BatchMatMulOptionsT()
        options.adjY = turned
        return self._op("BATCH_MATMUL", [x, y], shape, options)

    def _mean(self, x: int, axes: tuple[int, ...], keep: bool = True) -> int:
        options = schema.ReducerOptionsT()
        options.keepDims = keep
        shape = self._shapes[x]
        kept = tuple(1 if at in axes else length for at, length in enumerate(shape) if keep or at not in axes)
        return self._op("MEAN", [x, self._ints(axes)], kept, options)

    def _pool(self, x: int, layer: Layer) -> int:
        options = schema.Pool2DOptionsT()
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = layer.stride
        options.filterHeight = options.filterWidth = layer.window
        name = "MAX_POOL_2D" if layer.kind == "max_pool" else "AVERAGE_POOL_2D"
        return self._op(name, [x], _placed(layer), options)

    def _pair(self, name: str, x: int, y: int, shape: Shape | None = None) -> int:
        options = {"ADD": schema.AddOptionsT, "MUL": schema.MulOptionsT, "SUB": schema.SubOptionsT}.get(name)
        return self._op(
            name, [x, y], shape or self._shapes[x], options() if options else schema.SquaredDifferenceOptionsT()
        )

    def _reshape(self, x: int, shape: Shape) -> int:
        if self._shapes[x] == shape:
            return x
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        return self._op("RESHAPE", [x, self._ints(shape)], shape, options)

    def _transpose(self, x: int, axes: tuple[int, ...]) -> int:
        shape = tuple(self._shapes[x][axis] for axis in axes)
        return self._op("TRANSPOSE", [x, self._ints(axes)], shape, None)

    def _slice(self, x: int, axis: int, begin: int, size: int) -> int:
        shape = tuple(size if at == axis else length for at, length in enumerate(self._shapes[x]))
        begins = tuple(begin if at == axis else 0 for at in range(len(shape)))
        return self._op("SLICE", [x, self._ints(begins), self._ints(shape)], shape, None)

    def _dequantized(self, x: int) -> int:
        return x if self._is_float(x) else self._op("DEQUANTIZE", [x], self._shapes[x], None, float_=True)

    def _is_float(self, x: int) -> bool:
        return bool(self._tensors[x].type == schema.TensorType.FLOAT32)

    def _op(self, name: str, inputs: list[int], shape: Shape, options: Any, *, float_: bool = False) -> int:
        """Adds an op and returns the tensor that it makes."""
        code = getattr(schema.BuiltinOperator, name)
        as_int8 = self._static and not float_
        made = self._tensor(shape, "int8" if as_int8 else "float32")
        if as_int8:
            scale, zero = (_SHARE_SCALE, _SHARE_ZERO) if name in _SHARES else (_SCALE, 0)
            kept = self._tensors[inputs[0]].quantization if name in _MOVES else None
            self._tensors[made].quantization = kept or _quantization([scale], [zero])
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(code, len(self._codes))
        operator.inputs, operator.outputs = inputs, [made]
        if options is not None:
            operator.builtinOptions = options
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self._operators.append(operator)
        return made

    def _tensor(self, shape: Shape, dtype: str) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), _DTYPES[dtype], 0
        tensor.name = f"t{len(self._tensors)}".encode()
        self._tensors.append(tensor)
        self._shapes.append(tuple(shape))
        return len(self._tensors) - 1

    def _constant(self, values: np.ndarray) -> int:
        place = self._tensor(values.shape, values.dtype.name)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._buffers.append(buffer)
        self._tensors[place].buffer = len(self._buffers) - 1
        return place

    def _ints(self, values: Any) -> int:
        return self._constant(np.array(values, np.int32))

    def _number(self, value: float) -> int:
        if not self._static:
            return self._constant(np.array(value, np.float32))
        place = self._constant(np.array(100, np.int8))
        self._tensors[place].quantization = _quantization([max(value, 1e-3) / 100], [0])
        return place

    def _weights(self, shape: Shape, fan_in: int, axis: int, x: int) -> int:
        if self._numbers == "float":
            return self._constant(self._values.weights(shape, fan_in))
        place = self._constant(self._values.int8(shape))
        out = shape[axis]
        self._tensors[place].quantization = _quantization([1 / (70 * math.sqrt(fan_in))] * out, [0] * out, axis)
        return place

    def _bias(self, width: int, static: bool | None = None) -> int:
        if not (self._static if static is None else static):
            return self._constant(self._values.row((width,)))
        place = self._constant(np.zeros(width, np.int32))
        scale = _SCALE * self._tensors[-2].quantization.scale[0]
        self._tensors[place].quantization = _quantization([scale] * width, [0] * width)
        return place


def _placed(layer: Layer) -> Shape:
    """Returns the shape in the file of what a layer makes: maps have channels last."""
    channels, *sides = layer.shape
    return layer.shape if layer.tokens else (1, *sides, channels)


def _quantization(scale: list[float], zero: list[int], axis: int = 0) -> Any:
    quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint, quantization.quantizedDimension = scale, zero, axis
    return quantization
