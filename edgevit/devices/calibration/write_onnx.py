"""Writes a small network as ONNX, in the ops that an export from PyTorch gives. Needs NumPy and onnx."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgevit.devices.calibration.network import Activation, Layer, Network, Shape
from edgevit.devices.calibration.numbers import Numbers
from edgevit.devices.calibration.values import Values

_OPSET, _DYNAMIC_OPSET = 18, 23
"""Dynamic files have attention and GELU as one op each."""
_IR = 10
_SCALE = np.float32(0.04)
"""Of uint8 activations."""
_ROUNDED = "dequantizelinear_"
"""Begins the names of tensors that were rounded to int8."""
_QUANTIZED = frozenset(
    ["Conv", "Gemm", "MatMul", "Add", "Mul", "Sigmoid", "GlobalAveragePool", "AveragePool", "MaxPool", "Concat", "Reshape",
     "Transpose", "Softmax"]
)  # fmt: skip
"""Ops that static quantization takes."""


def write_onnx(network: Network, numbers: Numbers, path: Path) -> None:
    """Writes a network.

    Args:
        network: To write.
        numbers: What multiplies.
        path: Of the file.
    """
    writer = _Writer(numbers)
    for layer in network.layers:
        writer.layer(network, layer)
    onnx.save(writer.model(network), path)


class _Writer:
    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._values = Values()
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._made: list[str] = []
        """Tensor of each layer."""
        self._rounded: dict[str, tuple[str, ...]] = {}
        """What stands for a tensor in int8."""
        self._convs = 0
        self._separable = False
        """Whether a depthwise convolution follows the first one; then that and the next stay in float too."""

    def model(self, network: Network) -> onnx.ModelProto:
        """Returns the file."""
        first, last = network.layers[0].shape, network.layers[-1].shape
        graph = helper.make_graph(
            self._nodes,
            network.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, *first])],
            [helper.make_tensor_value_info(self._made[-1], TensorProto.FLOAT, list(last))],
            self._constants,
        )
        opset = _DYNAMIC_OPSET if self._numbers == "int8_dynamic" else _OPSET
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        model.ir_version = _IR
        return model

    def layer(self, network: Network, layer: Layer) -> None:
        """Writes one layer."""
        read = [self._made[place] for place in layer.inputs]
        match layer.kind:
            case "input":
                made = "input"
            case "conv":
                made = self._conv(read[0], network.read(layer)[0], layer)
            case "activation":
                made = self._activate(read[0], layer.activation)
            case "linear":
                last = layer is network.layers[-1]
                made = self._linear(read[0], network.read(layer)[-1], layer.shape[-1], layer.activation, last=last)
            case "norm":
                made = self._norm(read[0], layer.shape[-1])
            case "map_norm":
                made = self._norm(self._op("Transpose", read, perm=[0, 2, 3, 1]), layer.shape[0])
                made = self._op("Transpose", [made], perm=[0, 3, 1, 2])
            case "attention":
                made = self._attention(read[0], read[-1], layer)
            case "add" | "mul":
                made = self._op(layer.kind.capitalize(), read)
            case "mean":
                made = self._op("GlobalAveragePool", read)
            case "max_pool" | "avg_pool":
                name = "MaxPool" if layer.kind == "max_pool" else "AveragePool"
                made = self._op(name, read, kernel_shape=[3, 3], strides=[layer.stride] * 2, pads=[1, 1, 1, 1])
            case "concat":
                made = self._op("Concat", read, axis=1)
            case "flat_tokens":
                channels, height, width = network.read(layer)
                made = self._op("Transpose", [self._reshape(read[0], (1, channels, height * width))], perm=[0, 2, 1])
            case "flat_map":
                made = self._reshape(self._op("Transpose", read, perm=[0, 2, 1]), (1, *layer.shape))
            case "last_tokens":
                made = self._reshape(self._op("Transpose", read, perm=[0, 2, 3, 1]), layer.shape)
            case "last_map":
                channels, height, width = layer.shape
                last_axis = self._reshape(read[0], (1, height, width, channels))
                made = self._op("Transpose", [last_axis], perm=[0, 3, 1, 2])
            case "reshape":
                made = self._reshape(read[0], layer.shape)
            case "transpose":
                made = self._op("Transpose", read, perm=list(layer.axes))
        self._made.append(made)

    def _norm(self, x: str, width: int) -> str:
        parts = [self._constant(self._values.row((width,), around)) for around in (1.0, 0.0)]
        return self._op("LayerNormalization", [x, *parts], axis=-1, epsilon=1e-6)

    def _conv(self, x: str, channels: int, layer: Layer) -> str:
        out, window, groups = layer.shape[0], layer.window, layer.groups
        self._convs += 1
        self._separable |= self._convs == 2 and groups == channels
        stem = self._convs <= (3 if self._separable else 1)
        shape = (out, channels // groups, window, window)
        before = (window - 1) // 2 if layer.stride < window else 0
        attributes = {
            "kernel_shape": [window, window], "strides": [layer.stride] * 2, "pads": [before] * 4, "group": groups,
        }  # fmt: skip
        fan_in = shape[1] * window * window
        if self._numbers != "int8_static" or stem:
            inputs = [x, self._constant(self._values.weights(shape, fan_in)), self._constant(self._values.row((out,)))]
            return self._activate(self._plain("Conv", inputs, **attributes), layer.activation)
        inputs = [self._round(x), *self._int8_weights(shape, 0)]
        return self._activate(self._round(self._plain("Conv", inputs, **attributes)), layer.activation)

    def _linear(self, x: str, width: int, out: int, act: Activation = "none", *, last: bool = False) -> str:
        if self._numbers == "int8_dynamic":
            return self._activate(self._dynamic(x, width, out), act)
        if self._numbers == "int8_static":
            weights, bias = self._int8_weights((out, width), 0) if last else self._int8_weights((width, out), 1)
            if last:
                return self._plain("Gemm", [self._round(x), weights, bias], transB=1)
            return self._activate(self._plain("Add", [self._plain("MatMul", [self._round(x), weights]), bias]), act)
        bias = self._constant(self._values.row((out,)))
        if last:
            weights = self._constant(self._values.weights((out, width), width))
            return self._plain("Gemm", [x, weights, bias], transB=1)
        product = self._plain("MatMul", [x, self._constant(self._values.weights((width, out), width))])
        return self._activate(self._plain("Add", [product, bias]), act)

    def _dynamic(self, x: str, width: int, out: int) -> str:
        if x not in self._rounded:
            names = tuple(f"{x}_{part}" for part in ("quantized", "scale", "zero"))
            self._nodes.append(helper.make_node("DynamicQuantizeLinear", [x], list(names), name=f"{x}_quantize"))
            self._rounded[x] = names
        quantized, scale, zero = self._rounded[x]
        weights = self._constant(self._values.int8((width, out)))
        weights_scale = self._constant(np.full(out, 1 / (70 * width**0.5), np.float32))
        factor = self._plain("Mul", [scale, weights_scale])
        product = self._plain("MatMulInteger", [quantized, weights, zero, self._constant(np.zeros(out, np.int8))])
        scaled = self._plain("Mul", [self._plain("Cast", [product], to=TensorProto.FLOAT), factor])
        return self._plain("Add", [scaled, self._constant(self._values.row((out,)))])

    def _activate(self, x: str, act: Activation) -> str:
        """Writes an activation; in int8, clipping is part of the rounding before it."""
        inside = self._numbers == "int8_static" and x.startswith(_ROUNDED)
        match act:
            case "none":
                return x
            case "relu":
                return x if inside else self._plain("Relu", [x])
            case "relu6":
                limits = [self._constant(np.array(limit, np.float32)) for limit in (0, 6)]
                return x if inside else self._plain("Clip", [x, *limits])
            case "sigmoid":
                return self._op("Sigmoid", [x])
            case "silu":
                return self._op("Mul", [x, self._op("Sigmoid", [x])])
            case "hard_sigmoid":
                return self._plain("HardSigmoid", [x], alpha=1 / 6)
            case "hard_swish":
                return self._op("Mul", [x, self._plain("HardSigmoid", [x], alpha=1 / 6)])
            case "gelu":
                if self._numbers == "int8_dynamic":
                    return self._plain("Gelu", [x], approximate="tanh")
                root, one, half = (self._constant(np.array(value, np.float32)) for value in (2**0.5, 1, 0.5))
                error = self._plain("Erf", [self._plain("Div", [x, root])])
                return self._op("Mul", [x, self._op("Mul", [half, self._op("Add", [error, one])])])

    def _attention(self, x: str, of: str, layer: Layer) -> str:
        """Writes attention of ``x`` to the tokens of ``of``."""
        groups, tokens, width = layer.shape
        heads, key = layer.heads, layer.key
        narrow = heads * key != width
        if self._numbers == "int8_dynamic" and not narrow and not layer.biased:
            parts = [self._linear(each, width, width) for each in (x, of, of)]
            y = self._plain("Attention", parts, q_num_heads=heads, kv_num_heads=heads)
            return self._linear(y, width, width)
        q, k, v = self._narrow_parts(x, layer) if narrow else self._parts(x, of, layer)
        scale = self._constant(np.array([key**-0.25], np.float32))
        scores = self._op("MatMul", [self._op("Mul", [q, scale]), self._op("Mul", [k, scale])])
        if layer.biased:
            scores = self._op("Add", [scores, self._constant(self._values.row((1, heads, tokens, tokens)))])
        y = self._op("MatMul", [self._op("Softmax", [scores], axis=-1), v])
        value = 2 * key if narrow else key
        y = self._reshape(self._op("Transpose", [y], perm=[0, 2, 1, 3]), (groups, tokens, heads * value))
        return self._linear(self._activate(y, "hard_swish" if narrow else "none"), heads * value, width)

    def _narrow_parts(self, x: str, layer: Layer) -> list[str]:
        """Writes queries, keys, and values that are twice as wide, by one linear layer."""
        groups, tokens, width = layer.shape
        heads, key = layer.heads, layer.key
        split = self._reshape(self._linear(x, width, 4 * heads * key), (groups, tokens, heads, 4 * key))
        sizes = self._constant(np.array([key, key, 2 * key], np.int64))
        names = [f"{split}_{part}" for part in "qkv"]
        self._nodes.append(helper.make_node("Split", [split, sizes], names, name=f"{split}_split", axis=3))
        orders = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        return [self._op("Transpose", [name], perm=order) for name, order in zip(names, orders, strict=True)]

    def _parts(self, x: str, of: str, layer: Layer) -> tuple[str, str, str]:
        """Writes queries of ``x``, and keys and values of ``of``, by one linear layer where they are the same."""
        groups, tokens, width = layer.shape
        heads, key = layer.heads, layer.key
        if of == x:
            q, k, v = self._divided(x, width, (groups, tokens, 3, heads, key))
        else:
            alone = self._reshape(self._linear(x, width, width), (groups, tokens, heads, key))
            q = self._op("Transpose", [alone], perm=[0, 2, 1, 3])
            k, v = self._divided(of, width, (groups, -1, 2, heads, key))
        return q, self._op("Transpose", [k], perm=[0, 1, 3, 2]), v

    def _divided(self, x: str, width: int, shape: Shape) -> list[str]:
        made = self._reshape(self._linear(x, width, shape[2] * width), shape)
        made = self._op("Transpose", [made], perm=[2, 0, 3, 1, 4])
        return [self._part(made, place) for place in range(shape[2])]

    def _part(self, x: str, place: int) -> str:
        begin, end, axes = (self._constant(np.array([value], np.int64)) for value in (place, place + 1, 0))
        return self._plain("Squeeze", [self._plain("Slice", [x, begin, end, axes]), axes])

    def _reshape(self, x: str, shape: Shape) -> str:
        return self._op("Reshape", [x, self._constant(np.array(shape, np.int64))])

    def _op(self, name: str, inputs: list[str], **attributes: object) -> str:
        """Writes an op, whose inputs and result static quantization rounds."""
        if self._numbers == "int8_static" and name in _QUANTIZED:
            given = [x if _is_shape(name, place) else self._round(x) for place, x in enumerate(inputs)]
            return self._round(self._plain(name, given, **attributes))
        return self._plain(name, inputs, **attributes)

    def _plain(self, name: str, inputs: list[str], **attributes: object) -> str:
        made = f"{name.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(name, inputs, [made], name=f"{name}_{len(self._nodes)}", **attributes))
        return made

    def _round(self, x: str) -> str:
        """Returns a tensor that was rounded to uint8 and is float again."""
        if x.startswith(_ROUNDED):
            return x
        if x not in self._rounded:
            scale, zero = self._constant(np.array(_SCALE)), self._constant(np.array(100, np.uint8))
            quantized = self._plain("QuantizeLinear", [x, scale, zero])
            self._rounded[x] = (self._plain("DequantizeLinear", [quantized, scale, zero]),)
        return self._rounded[x][0]

    def _int8_weights(self, shape: Shape, axis: int) -> tuple[str, str]:
        """Returns weights and bias, stored as integers."""
        out, fan_in = shape[axis], int(np.prod(shape)) // shape[axis]
        scales = np.full(out, 1 / (70 * fan_in**0.5), np.float32)
        scale, zero = self._constant(scales), self._constant(np.zeros(out, np.int8))
        weights = self._plain("DequantizeLinear", [self._constant(self._values.int8(shape)), scale, zero], axis=axis)
        bias_scale, bias_zero = self._constant(scales * _SCALE), self._constant(np.zeros(out, np.int32))
        bias = self._constant(self._values.int8((out,)).astype(np.int32))
        return weights, self._plain("DequantizeLinear", [bias, bias_scale, bias_zero], axis=0)

    def _constant(self, values: np.ndarray) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name


def _is_shape(name: str, place: int) -> bool:
    return name == "Reshape" and place == 1
