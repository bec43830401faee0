"""Makes the probe models that ``edgevit doctor`` runs: y = 2 x + 1 over float32 [1, 4], one file per backend.

    python benchmarks/make_probes.py

Writes edgevit/commands/probes/. The files are committed, so this runs only when a backend is added or a format changes.
"""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import numpy as np
import onnx
import openvino
from ai_edge_litert import schema_py_generated as tflite
from onnx import TensorProto, helper
from openvino import opset8

FOLDER = Path(__file__).parents[1] / "edgevit" / "commands" / "probes"
SHAPE = [1, 4]


def make_onnx(path: Path) -> None:
    """Writes the ONNX probe, in an old opset so that old runtimes read it too."""
    two = helper.make_tensor("two", TensorProto.FLOAT, [1], [2.0])
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["input", "two"], ["doubled"]),
            helper.make_node("Add", ["doubled", "one"], ["logits"]),
        ],
        "probe",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, SHAPE)],
        [two, one],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def make_openvino(path: Path) -> None:
    """Writes the OpenVINO probe: the .xml, and the .bin beside it."""
    parameter = opset8.parameter(SHAPE, np.float32, "input")
    parameter.output(0).set_names({"input"})
    doubled = opset8.multiply(parameter, opset8.constant(np.array([2.0], np.float32)))
    added = opset8.add(doubled, opset8.constant(np.array([1.0], np.float32)))
    added.output(0).set_names({"logits"})
    openvino.save_model(openvino.Model([added], [parameter], "probe"), path, compress_to_fp16=False)


def make_tflite(path: Path) -> None:
    """Writes the TFLite probe, built field by field as the format's schema has it."""
    model = tflite.ModelT()
    model.version, model.description = 3, b"edgevit probe"
    model.buffers = [tflite.BufferT() for _ in range(3)]
    model.buffers[1].data = np.array([2.0], np.float32).view(np.uint8)
    model.buffers[2].data = np.array([1.0], np.float32).view(np.uint8)
    model.operatorCodes = [_tflite_code(tflite.BuiltinOperator.MUL), _tflite_code(tflite.BuiltinOperator.ADD)]
    graph = tflite.SubGraphT()
    graph.name = b"main"
    graph.tensors = [
        _tflite_tensor("input", SHAPE, 0),
        _tflite_tensor("two", [1], 1),
        _tflite_tensor("one", [1], 2),
        _tflite_tensor("doubled", SHAPE, 0),
        _tflite_tensor("logits", SHAPE, 0),
    ]
    graph.inputs, graph.outputs = [0], [4]
    graph.operators = [
        _tflite_op(0, [0, 1], [3], tflite.BuiltinOptions.MulOptions, tflite.MulOptionsT()),
        _tflite_op(1, [3, 2], [4], tflite.BuiltinOptions.AddOptions, tflite.AddOptionsT()),
    ]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def _tflite_code(code: int) -> tflite.OperatorCodeT:
    operator = tflite.OperatorCodeT()
    operator.builtinCode = operator.deprecatedBuiltinCode = code
    operator.version = 1
    return operator


def _tflite_tensor(name: str, shape: list[int], buffer: int) -> tflite.TensorT:
    tensor = tflite.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name.encode(), shape, buffer
    tensor.type = tflite.TensorType.FLOAT32
    return tensor


def _tflite_op(code: int, inputs: list[int], outputs: list[int], kind: int, options: object) -> tflite.OperatorT:
    operator = tflite.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptionsType, operator.builtinOptions = kind, options
    return operator


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    make_onnx(FOLDER / "probe.onnx")
    make_openvino(FOLDER / "probe.xml")
    make_tflite(FOLDER / "probe.tflite")
