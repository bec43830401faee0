"""Turns the int8 input and output of a TFLite file into uint8, as some NPUs and cameras want them."""

from __future__ import annotations

import copy
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_ZERO = 128
"""What int8 and uint8 differ by: the same scale, the zero point moved."""


def with_uint8_io(content: bytes) -> bytes:
    """Puts a QUANTIZE op between uint8 and int8 at each input and output; every value stays the same.

    Args:
        content: A TFLite file whose inputs and outputs are int8.

    Raises:
        ValueError: one of them is not.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    code = _quantize_code(model)
    moved = {int(index): _uint8_twin(graph, int(index)) for index in (*graph.inputs, *graph.outputs)}
    entries = [_converts(code, moved[int(index)], int(index)) for index in graph.inputs]
    exits = [_converts(code, int(index), moved[int(index)]) for index in graph.outputs]
    graph.operators = [*entries, *graph.operators, *exits]
    graph.inputs = [moved[int(index)] for index in graph.inputs]
    graph.outputs = [moved[int(index)] for index in graph.outputs]
    for signature in model.signatureDefs or ():
        for port in (*signature.inputs, *signature.outputs):
            port.tensorIndex = moved[port.tensorIndex]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _quantize_code(model: Any) -> int:
    """Index of the QUANTIZE operator among the model's operator codes."""
    quantize = schema.BuiltinOperator.QUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == quantize:
            return index
    added = schema.OperatorCodeT()
    added.builtinCode = added.deprecatedBuiltinCode = quantize
    added.version = 1
    model.operatorCodes.append(added)
    return len(model.operatorCodes) - 1


def _uint8_twin(graph: Any, index: int) -> int:
    """Adds a uint8 tensor that stands for the same values as an int8 one; returns its index."""
    tensor = graph.tensors[index]
    if tensor.type != schema.TensorType.INT8:
        raise ValueError(f"{tensor.name!r} is not int8")
    twin = copy.deepcopy(tensor)
    twin.type = schema.TensorType.UINT8
    twin.buffer = 0
    twin.name = tensor.name
    tensor.name = (tensor.name if isinstance(tensor.name, bytes) else tensor.name.encode()) + b"_int8"
    twin.quantization.zeroPoint = [int(point) + _ZERO for point in tensor.quantization.zeroPoint]
    graph.tensors.append(twin)
    return len(graph.tensors) - 1


def _converts(code: int, source: int, target: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [source], [target]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator
