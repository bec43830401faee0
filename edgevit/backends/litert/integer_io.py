"""Turns the int8 input and output of a TFLite file into uint8, as some NPUs and cameras require it."""

from __future__ import annotations

import copy
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

_ZERO = 128
"""Difference between the zero points of uint8 and int8 with the same scale."""


def with_uint8_io(content: bytes) -> bytes:
    """Puts a QUANTIZE op between uint8 and int8 at each input and output; every value stays the same.

    Args:
        content: A TFLite file whose inputs and outputs are int8.

    Returns:
        The content of the changed file.

    Raises:
        ValueError: one of them is not.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    code = _quantize_code(model)
    moved = {int(index): _add_uint8(graph, int(index)) for index in (*graph.inputs, *graph.outputs)}
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
    """Returns the index of QUANTIZE among the model's operator codes, to which it is added if need be."""
    quantize = schema.BuiltinOperator.QUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == quantize:
            return index
    added = schema.OperatorCodeT()
    added.builtinCode = added.deprecatedBuiltinCode = quantize
    added.version = 1
    model.operatorCodes.append(added)
    return len(model.operatorCodes) - 1


def _add_uint8(graph: Any, index: int) -> int:
    """Adds a uint8 tensor of the same values as an int8 one; returns its index."""
    tensor = graph.tensors[index]
    if tensor.type != schema.TensorType.INT8:
        raise ValueError(f"{tensor.name!r} is not int8")
    added = copy.deepcopy(tensor)
    added.type = schema.TensorType.UINT8
    added.buffer = 0
    added.name = tensor.name
    tensor.name = (tensor.name if isinstance(tensor.name, bytes) else tensor.name.encode()) + b"_int8"
    added.quantization.zeroPoint = [int(point) + _ZERO for point in tensor.quantization.zeroPoint]
    graph.tensors.append(added)
    return len(graph.tensors) - 1


def _converts(code: int, source: int, target: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [source], [target]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator
