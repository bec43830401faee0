"""Puts the normalization of pixels into a TFLite graph, before all that is there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from edgevit.backends.layout import guess_layout
from edgevit.backends.pixels import no_float_image, offset_and_divisor

_FLOAT, _BYTE, _INT32 = schema.TensorType.FLOAT32, schema.TensorType.UINT8, schema.TensorType.INT32
_TO_CHANNELS_FIRST = (0, 3, 1, 2)


def embed_normalization(path: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Lets a file take pixels, see :meth:`edgevit.backends.Backend.embed_normalization`.

    The axes are put in order first, while a pixel is a byte, and then: DEQUANTIZE with a scale of 1, SUB, DIV, which
    XNNPACK computes with all that follows.

    Args:
        path: The file.
        mean: Of each channel.
        std: Of each channel.

    Raises:
        UsageError: its input is not one float32 image.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    graph = _Graph(model)
    normalized, is_first = graph.image_input(path)
    pixels = graph.add_pixels(normalized, is_first)
    shape = (1, -1, 1, 1) if is_first else (-1,)
    offset, divisor = (graph.add_constant(value.reshape(shape)) for value in offset_and_divisor(mean, std))
    ordered = graph.add_like(normalized, _BYTE, graph.tensors[pixels].quantization) if is_first else pixels
    floats, centered = graph.add_like(normalized, _FLOAT), graph.add_like(normalized, _FLOAT)
    steps = [
        graph.operator("Dequantize", [ordered], floats),
        graph.operator("Sub", [floats, offset], centered),
        graph.operator("Div", [centered, divisor], normalized),
    ]
    if is_first:
        order = graph.add_constant(np.array(_TO_CHANNELS_FIRST, np.int32))
        steps.insert(0, graph.operator("Transpose", [pixels, order], ordered))
    graph.begin_with(steps, pixels, normalized)
    path.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


class _Graph:
    """The main subgraph of a model, to which tensors and operators are added."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self.tensors = self._graph.tensors

    def image_input(self, path: Path) -> tuple[int, bool]:
        """The tensor that is the input, and whether its channels come before its rows."""
        inputs = list(self._graph.inputs)
        given = self.tensors[inputs[0]]
        layout = guess_layout(tuple(map(int, given.shape)))
        if len(inputs) != 1 or given.type != _FLOAT or layout not in ("NCHW", "NHWC"):
            raise no_float_image(path)
        return int(inputs[0]), layout == "NCHW"

    def add_pixels(self, normalized: int, is_first: bool) -> int:
        """Adds the new input, uint8 [1, h, w, channels], which gets the name of the old one; its values are the bytes."""
        old = self.tensors[normalized]
        added = copy.deepcopy(old)
        added.type, added.buffer = _BYTE, 0
        if is_first:
            added.shape = _channels_last(old.shape)
            if old.shapeSignature is not None:
                added.shapeSignature = _channels_last(old.shapeSignature)
        added.quantization = schema.QuantizationParametersT()
        added.quantization.scale, added.quantization.zeroPoint = [1.0], [0]
        name = old.name if isinstance(old.name, bytes) else old.name.encode()
        old.name, added.name = name + b"_normalized", name
        return self._add(added)

    def add_like(self, tensor: int, kind: int, quantization: Any = None) -> int:
        """Adds a tensor of the shape of another one."""
        added = copy.deepcopy(self.tensors[tensor])
        added.type, added.buffer, added.quantization = kind, 0, quantization
        added.name = self._name()
        return self._add(added)

    def add_constant(self, values: np.ndarray) -> int:
        """Adds a tensor with values, float32 or int32."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        added = schema.TensorT()
        added.type = _INT32 if values.dtype == np.int32 else _FLOAT
        added.shape, added.buffer = list(values.shape), len(self._model.buffers) - 1
        added.name = self._name()
        return self._add(added)

    def operator(self, name: str, inputs: list[int], output: int) -> Any:
        """Returns an operator with the options that it has by default."""
        added = schema.OperatorT()
        added.opcodeIndex = self._code(getattr(schema.BuiltinOperator, name.upper()))
        added.inputs, added.outputs = inputs, [output]
        added.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name}Options")
        added.builtinOptions = getattr(schema, f"{name}OptionsT")()
        return added

    def begin_with(self, steps: list[Any], pixels: int, normalized: int) -> None:
        """Puts operators before all others, and the new input in place of the old one."""
        self._graph.operators = [*steps, *self._graph.operators]
        self._graph.inputs = [pixels]
        for signature in self._model.signatureDefs or ():
            for port in signature.inputs:
                if port.tensorIndex == normalized:
                    port.tensorIndex = pixels

    def _code(self, builtin: int) -> int:
        """The index of a builtin operator among the model's codes, to which it is added if need be."""
        for index, code in enumerate(self._model.operatorCodes):
            if code.builtinCode == builtin:
                return index
        added = schema.OperatorCodeT()
        added.builtinCode = added.deprecatedBuiltinCode = builtin
        added.version = 1
        self._model.operatorCodes.append(added)
        return len(self._model.operatorCodes) - 1

    def _add(self, tensor: Any) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _name(self) -> bytes:
        return f"pixels_{len(self.tensors)}".encode()


def _channels_last(shape: Any) -> list[int]:
    """[n, channels, h, w] as [n, h, w, channels]."""
    images, channels, height, width = map(int, shape)
    return [images, height, width, channels]
