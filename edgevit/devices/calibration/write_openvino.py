"""Writes a small network as OpenVINO IR, in the ops that a conversion from PyTorch gives. Needs NumPy and openvino."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from edgevit.devices.calibration.network import Activation, Layer, Network, Shape
from edgevit.devices.calibration.numbers import Numbers
from edgevit.devices.calibration.values import Values

_LEVELS = 256
_LIMIT = 5.0
"""Largest activation that is not clipped."""
_POSITIVE = ("Relu", "Clamp", "Sigmoid", "HSigmoid")
"""Ops whose results NNCF rounds to uint8."""
_GELU = (0.393858383, -0.0593870776, 0.00658666492, -0.000400917445, 1.00153972e-05)
"""Polynomial that stands for GELU in quantized transformers, see :mod:`edgevit.backends.openvino.gelu`."""


def write_openvino(network: Network, numbers: Numbers, path: Path) -> None:
    """Writes a network.

    Args:
        network: To write.
        numbers: "float" or "int8_static".
        path: Of the ``.xml`` file.
    """
    writer = _Writer(numbers, network.attends)
    for layer in network.layers:
        writer.layer(network, layer)
    ov.save_model(writer.model(network.name), path, compress_to_fp16=False)


class _Writer:
    def __init__(self, numbers: Numbers, transformer: bool) -> None:
        self._static = numbers == "int8_static"
        self._transformer = transformer
        self._values = Values()
        self._made: list[Any] = []
        """Node of each layer."""
        self._rounded: dict[str, Any] = {}
        self._smoothed: dict[str, Any] = {}
        self._moved: dict[str, tuple[Any, Callable[[Any], Any]]] = {}
        """What each tensor that was only moved was moved from, and how: NNCF rounds before moves."""

    def model(self, name: str) -> ov.Model:
        """Returns what was written."""
        return ov.Model([self._made[-1]], [self._made[0]], name)

    def layer(self, network: Network, layer: Layer) -> None:
        """Writes one layer."""
        read = [self._made[place] for place in layer.inputs]
        match layer.kind:
            case "input":
                made = ops.parameter([1, *layer.shape], np.float32, name="input")
            case "conv":
                made = self._conv(read[0], network.read(layer)[0], layer)
            case "activation":
                made = self._activate(read[0], layer.activation)
            case "linear":
                made = self._linear(read[0], network.read(layer)[-1], layer.shape[-1], layer.activation)
            case "norm":
                made = self._norm(read[0], len(layer.shape), layer.shape[-1])
            case "map_norm":
                last = self._norm(self._transpose(read[0], (0, 2, 3, 1)), 4, layer.shape[0])
                made = self._transpose(last, (0, 3, 1, 2))
            case "attention":
                made = self._attention(read[0], read[-1], layer)
            case "add":
                made = ops.add(*(self._round(x, convolutional=True) for x in read))
            case "mul":
                made = ops.multiply(*(self._round(x, convolutional=True) for x in read))
            case "mean":
                mean = ops.reduce_mean(self._round(read[0], convolutional=True), np.array([2, 3]), True)
                made = self._round(mean, convolutional=True)
            case "max_pool":
                x = self._round(read[0], convolutional=True)
                made = ops.max_pool(x, [layer.stride] * 2, [1, 1], [1, 1], [1, 1], [3, 3]).output(0)
                self._keep_rounded(x, made)
            case "avg_pool":
                made = ops.avg_pool(self._round(read[0], convolutional=True), [layer.stride] * 2, [1, 1], [1, 1], [3, 3], True)  # fmt: skip
            case "concat":
                parts = [self._round(x, convolutional=True) for x in read]
                made = ops.concat(parts, 1)
                self._keep_rounded(parts[0], made)
            case "flat_tokens":
                channels, height, width = network.read(layer)
                made = self._transpose(self._reshape(read[0], (1, channels, height * width)), (0, 2, 1))
            case "flat_map":
                made = self._reshape(self._transpose(read[0], (0, 2, 1)), (1, *layer.shape))
            case "last_tokens":
                made = self._reshape(self._transpose(read[0], (0, 2, 3, 1)), layer.shape)
            case "last_map":
                channels, height, width = layer.shape
                made = self._transpose(self._reshape(read[0], (1, height, width, channels)), (0, 3, 1, 2))
            case "reshape":
                made = self._reshape(read[0], layer.shape)
            case "transpose":
                made = self._transpose(read[0], layer.axes)
        self._made.append(made)

    def _norm(self, x: Any, rank: int, width: int) -> Any:
        normed = ops.mvn(self._round(x, convolutional=True), np.array([-1], np.int32), True, 1e-6, "INSIDE_SQRT")
        return ops.add(ops.multiply(normed, self._row(rank, width, 1.1)), self._row(rank, width, 0.1))

    def _conv(self, x: Any, channels: int, layer: Layer) -> Any:
        out, window, groups = layer.shape[0], layer.window, layer.groups
        before = (window - 1) // 2 if layer.stride < window else 0
        given = ([layer.stride] * 2, [before] * 2, [before] * 2, [1, 1])
        fan_in = channels // groups * window * window
        if groups > 1:
            weights = self._weights((groups, out // groups, channels // groups, window, window), fan_in, 2)
            made = ops.group_convolution(self._round(x), weights, *given)
        else:
            weights = self._weights((out, channels, window, window), fan_in, 1)
            made = ops.convolution(self._round(x), weights, *given)
        bias = ops.constant(self._values.row((1, out, 1, 1)))
        return self._activate(ops.add(made, bias), layer.activation)

    def _linear(self, x: Any, width: int, out: int, act: Activation = "none") -> Any:
        product = ops.matmul(self._round(self._smooth(x)), self._weights((out, width), width, 1), False, True)
        rank = len(product.get_output_shape(0))
        return self._activate(ops.add(product, self._row(rank, out, 0.01)), act)

    def _activate(self, x: Any, act: Activation) -> Any:
        match act:
            case "none":
                return x
            case "relu":
                return ops.relu(x)
            case "relu6":
                return ops.clamp(x, 0.0, 6.0)
            case "hard_swish":
                return ops.hswish(x)
            case "hard_sigmoid":
                return ops.hsigmoid(x)
            case "silu":
                return ops.swish(x)
            case "sigmoid":
                return ops.sigmoid(x)
            case "gelu":
                return _polynomial_gelu(x) if self._static and self._transformer else ops.gelu(x, "ERF")

    def _attention(self, x: Any, of: Any, layer: Layer) -> Any:
        """Writes attention of ``x`` to the tokens of ``of``."""
        groups, tokens, width = layer.shape
        heads, key = layer.heads, layer.key
        narrow = heads * key != width
        q, k, v = self._narrow_parts(x, layer) if narrow else self._parts(x, of, layer)
        q, k = self._round(q), self._round(k)
        if layer.biased:
            scores = ops.multiply(ops.matmul(q, k, False, True), np.float32(key**-0.5))
            scores = ops.add(scores, ops.constant(self._values.row((1, heads, tokens, tokens))))
            y = ops.matmul(ops.softmax(scores, 3), v, False, False)
        else:
            y = ops.scaled_dot_product_attention(q, k, v)
        value = 2 * key if narrow else key
        y = self._reshape(self._transpose(y, (0, 2, 1, 3)), (groups, tokens, heads * value))
        return self._linear(self._activate(y, "hard_swish" if narrow else "none"), heads * value, width)

    def _narrow_parts(self, x: Any, layer: Layer) -> list[Any]:
        """Writes queries, keys, and values that are twice as wide, by one linear layer."""
        groups, tokens, width = layer.shape
        heads, key = layer.heads, layer.key
        split = self._reshape(self._linear(x, width, 4 * heads * key), (groups, tokens, heads, 4 * key))
        parts = ops.variadic_split(split, np.array(3), np.array([key, key, 2 * key]))
        return [self._transpose(parts.output(place), (0, 2, 1, 3)) for place in range(3)]

    def _parts(self, x: Any, of: Any, layer: Layer) -> list[Any]:
        """Writes queries of ``x``, and keys and values of ``of``, by one linear layer where they are the same."""
        groups, tokens, width = layer.shape
        heads, key = layer.heads, layer.key
        if of is x:
            return self._divided(x, width, (groups, tokens, 3, heads, key))
        q = self._reshape(self._linear(x, width, width), (groups, tokens, heads, key))
        return [self._transpose(q, (0, 2, 1, 3)), *self._divided(of, width, (groups, -1, 2, heads, key))]

    def _divided(self, x: Any, width: int, shape: Shape) -> list[Any]:
        made = self._transpose(self._reshape(self._linear(x, width, shape[2] * width), shape), (2, 0, 3, 1, 4))
        return [_part(made, place) for place in range(shape[2])]

    def _round(self, x: Any, *, convolutional: bool = False) -> Any:
        """Rounds what a static file multiplies, and in a ``convolutional`` network the other ops too."""
        if not self._static or (convolutional and self._transformer):
            return x
        key = _key(x)
        if key not in self._rounded and key in self._moved:
            source, move = self._moved[key]
            rounded = move(self._round(source))
            self._rounded[key] = self._rounded[_key(rounded)] = rounded
        if key not in self._rounded:
            node = x.get_node() if isinstance(x, ov.Output) else x
            unsigned = node.get_type_name() in _POSITIVE
            low, high = np.float32(0 if unsigned else -_LIMIT), np.float32(_LIMIT if unsigned else _LIMIT * 127 / 128)
            rounded = ops.fake_quantize(x, low, high, low, high, _LEVELS)
            self._rounded[key] = self._rounded[_key(rounded)] = rounded
        return self._rounded[key]

    def _smooth(self, x: Any) -> Any:
        """Divides what a linear layer of a quantized transformer reads, channel by channel, as SmoothQuant does."""
        if not (self._static and self._transformer):
            return x
        if _key(x) not in self._smoothed:
            shape = (x if isinstance(x, ov.Output) else x.output(0)).get_shape()
            self._smoothed[_key(x)] = ops.multiply(x, self._row(len(shape), shape[-1], 0.9))
        return self._smoothed[_key(x)]

    def _reshape(self, x: Any, shape: Shape) -> Any:
        return self._move(x, lambda given: ops.reshape(given, np.array(shape, np.int64), False))

    def _transpose(self, x: Any, axes: Shape) -> Any:
        return self._move(x, lambda given: ops.transpose(given, np.array(axes, np.int64)))

    def _move(self, x: Any, move: Callable[[Any], Any]) -> Any:
        made = move(x)
        self._moved[_key(made)] = (x, move)
        self._keep_rounded(x, made)
        return made

    def _keep_rounded(self, x: Any, made: Any) -> None:
        """Notes that what only moves rounded values gives rounded ones."""
        if self._rounded.get(_key(x)) is x:
            self._rounded[_key(made)] = made

    def _weights(self, shape: Shape, fan_in: int, kept: int) -> Any:
        """Makes weights, with a scale for each of the channels that the first ``kept`` axes count."""
        if not self._static:
            return ops.constant(self._values.weights(shape, fan_in))
        scale = np.full((*shape[:kept], *(1 for _ in shape[kept:])), 1 / (70 * fan_in**0.5), np.float32)
        return ops.multiply(ops.convert(ops.constant(self._values.int8(shape)), "f32"), ops.constant(scale))

    def _row(self, rank: int, width: int, value: float) -> Any:
        return ops.constant(self._values.row((*(1 for _ in range(rank - 1)), width), value))


def _key(x: Any) -> str:
    output = x if isinstance(x, ov.Output) else x.output(0)
    return f"{output.get_node().get_friendly_name()}:{output.get_index()}"


def _part(x: Any, place: int) -> Any:
    begin, end, step, axis = (np.array([value], np.int64) for value in (place, place + 1, 1, 0))
    return ops.squeeze(ops.slice(x, begin, end, step, axis), axis)


def _polynomial_gelu(x: Any) -> Any:
    inside = ops.clamp(x, -3.4, 3.4)
    square = ops.multiply(inside, inside)
    polynomial = ops.constant(np.float32(_GELU[-1]))
    for coefficient in reversed(_GELU[:-1]):
        polynomial = ops.add(ops.multiply(polynomial, square), ops.constant(np.float32(coefficient)))
    share = ops.add(ops.multiply(inside, polynomial), ops.constant(np.float32(0.5)))
    return ops.multiply(x, share)
