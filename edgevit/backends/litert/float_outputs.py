"""Makes outputs float again that the quantizer left as integers, because a quantized op of the model reads them too."""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils


def with_float_outputs(content: bytes) -> bytes:
    """Lets outputs be the float tensors that they are quantized from; what the model computes does not change.

    Args:
        content: A TFLite file.

    Returns:
        The content of the changed file; the same where no output is made by a QUANTIZE op.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]
    source = {int(op.outputs[0]): int(op.inputs[0]) for op in graph.operators if _quantizes_float(model, graph, op)}
    moved = {int(index): source[int(index)] for index in graph.outputs if int(index) in source}
    if not moved:
        return content
    graph.outputs = [moved.get(int(index), int(index)) for index in graph.outputs]
    for signature in model.signatureDefs or ():
        for port in signature.outputs:
            port.tensorIndex = moved.get(port.tensorIndex, port.tensorIndex)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _quantizes_float(model: Any, graph: Any, operator: Any) -> bool:
    code = model.operatorCodes[operator.opcodeIndex].builtinCode
    return bool(
        code == schema.BuiltinOperator.QUANTIZE
        and graph.tensors[int(operator.inputs[0])].type == schema.TensorType.FLOAT32
    )
