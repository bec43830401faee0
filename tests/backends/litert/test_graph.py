"""TensorFlow Lite graphs: MACs, kinds and numerics of small models with known answers, and of damaged files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgevit.backends.litert.graph import read_graph
from edgevit.errors import OpenShapes, UsageError

TYPES = {"float32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8, "float16": schema.TensorType.FLOAT16}


class Builder:
    """Writes a model with one subgraph."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]
        self.subgraph = schema.SubGraphT()
        self.subgraph.tensors, self.subgraph.operators = [], []
        self.model.subgraphs = [self.subgraph]

    def tensor(self, name: str, shape: tuple[int, ...], dtype: str = "float32", constant: bool = False) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = (
            name.encode(),
            np.array(shape, np.int32),
            TYPES[dtype],
            0,
        )
        if constant:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ones(shape, dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def op(self, native: str, inputs: list[int], outputs: list[int], options: Any = None, custom: str = "") -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, native)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom.encode() if custom else None
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        self.subgraph.operators.append(operator)

    def save(self, folder: Path, inputs: list[int], outputs: list[int]) -> Path:
        self.subgraph.inputs, self.subgraph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path = folder / "small.tflite"
        path.write_bytes(bytes(builder.Output()))
        return path


def linear(tmp_path: Path, data: str, weights: str) -> Path:
    build = Builder()
    x, w, y = (
        build.tensor("x", (1, 6), data),
        build.tensor("w", (7, 6), weights, constant=True),
        build.tensor("y", (1, 7), data),
    )
    build.op("FULLY_CONNECTED", [x, w, -1], [y])
    return build.save(tmp_path, [x], [y])


def test_convolutions(tmp_path: Path) -> None:
    build = Builder()
    x, c, d = build.tensor("x", (1, 16, 16, 3)), build.tensor("c", (1, 16, 16, 8)), build.tensor("d", (1, 16, 16, 8))
    g, t = build.tensor("g", (1, 16, 16, 8)), build.tensor("t", (1, 32, 32, 5))
    build.op(
        "CONV_2D", [x, build.tensor("w", (8, 3, 3, 3), constant=True), build.tensor("b", (8,), constant=True)], [c]
    )
    build.op("DEPTHWISE_CONV_2D", [c, build.tensor("v", (1, 3, 3, 8), constant=True)], [d])
    build.op("CONV_2D", [d, build.tensor("u", (8, 1, 1, 4), constant=True)], [g])
    build.op(
        "TRANSPOSE_CONV",
        [build.tensor("s", (4,), constant=True), build.tensor("o", (5, 2, 2, 8), constant=True), g],
        [t],
    )
    graph = read_graph(build.save(tmp_path, [x], [t]))
    assert [(op.kind, op.macs) for op in graph.ops] == [
        ("conv", 256 * 8 * 27),
        ("depthwise_conv", 256 * 8 * 9),
        ("conv", 256 * 8 * 4),
        ("conv", 256 * 8 * 5 * 4),
    ]
    assert (graph.inputs, graph.outputs) == (("x",), ("t",))


@pytest.mark.parametrize("transposed", [False, True])
def test_batch_matmul(tmp_path: Path, transposed: bool) -> None:
    build = Builder()
    x, y, z = (
        build.tensor("x", (2, 4, 5) if transposed else (2, 5, 4)),
        build.tensor("y", (2, 4, 3)),
        build.tensor("z", (2, 5, 3)),
    )
    options = schema.BatchMatMulOptionsT()
    options.adjX = transposed
    build.op("BATCH_MATMUL", [x, y], [z], options)
    graph = read_graph(build.save(tmp_path, [x, y], [z]))
    assert (graph.ops[0].kind, graph.macs) == ("matmul", 2 * 5 * 3 * 4)


@pytest.mark.parametrize(
    ("data", "weights", "numerics", "share"),
    [
        ("float32", "float32", "float", 0),
        ("float32", "int8", "int8_dynamic", 1),
        ("int8", "int8", "int8_static", 1),
    ],
)
def test_numerics_of_a_linear_op(tmp_path: Path, data: str, weights: str, numerics: str, share: float) -> None:
    graph = read_graph(linear(tmp_path, data, weights))
    assert [(op.kind, op.macs, op.numerics) for op in graph.ops] == [("linear", 42, numerics)]
    assert graph.int8_mac_share == share
    assert graph.params == 42


@pytest.mark.parametrize(("stored", "numerics", "size"), [("int8", "int8_weights", 42), ("float16", "float", 84)])
def test_expanded_weights(tmp_path: Path, stored: str, numerics: str, size: int) -> None:
    build = Builder()
    x, w, y = build.tensor("x", (1, 6)), build.tensor("w", (7, 6), stored, constant=True), build.tensor("y", (1, 7))
    expanded = build.tensor("e", (7, 6))
    build.op("DEQUANTIZE", [w], [expanded])
    build.op("FULLY_CONNECTED", [x, expanded], [y])
    graph = read_graph(build.save(tmp_path, [x], [y]))
    assert [(op.native, op.numerics) for op in graph.ops] == [("FULLY_CONNECTED", numerics)]
    assert graph.tensor["e"].size_bytes == size
    assert graph.int8_mac_share == 0


def test_an_input_may_leave_the_number_of_images_open_and_nothing_else(tmp_path: Path) -> None:
    builder = Builder()
    image, out = builder.tensor("image", (1, 8, 8, 3)), builder.tensor("out", (1, 8, 8, 3))
    builder.op("RELU", [image], [out])
    builder.subgraph.tensors[image].shapeSignature = np.array((-1, 8, 8, 3), np.int32)
    assert read_graph(builder.save(tmp_path, [image], [out])).batch == 1
    builder.subgraph.tensors[image].shapeSignature = np.array((1, -1, -1, 3), np.int32)
    with pytest.raises(OpenShapes, match="shape of the input 'image' is open") as caught:
        read_graph(builder.save(tmp_path, [image], [out]))
    assert caught.value.tensor == "image"


def test_scales_of_weights_are_counted(tmp_path: Path) -> None:
    builder = Builder()
    data, weights = builder.tensor("x", (1, 3), "int8"), builder.tensor("w", (5, 3), "int8", constant=True)
    out = builder.tensor("y", (1, 5), "int8")
    builder.op("FULLY_CONNECTED", [data, weights], [out])
    builder.subgraph.tensors[weights].quantization = schema.QuantizationParametersT()
    builder.subgraph.tensors[weights].quantization.scale = np.ones(5, np.float32)
    graph = read_graph(builder.save(tmp_path, [data], [out]))
    assert [graph.tensor[name].scales for name in ("x", "w", "y")] == [1, 5, 1]


def test_custom_ops_and_repeated_names(tmp_path: Path) -> None:
    build = Builder()
    x, y, z = build.tensor("same", (1, 6)), build.tensor("same", (1, 6)), build.tensor("", (1, 6))
    build.op("CUSTOM", [x], [y], custom="FlexTranspose")
    build.op("GELU", [y], [z])
    graph = read_graph(build.save(tmp_path, [x], [z]))
    assert [(op.native, op.kind) for op in graph.ops] == [("FlexTranspose", "other"), ("GELU", "activation")]
    assert [op.foreign for op in graph.ops] == [True, False]
    assert len(graph.tensor) == 3


def test_every_cut_of_a_file_is_refused_or_read(tmp_path: Path) -> None:
    path = linear(tmp_path, "float32", "float32")
    content = path.read_bytes()
    refused = 0
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        try:
            read_graph(path)
        except UsageError as error:
            assert "small.tflite" in error.message
            refused += 1
    assert refused > 0.8 * len(content) / 3


def test_every_flipped_byte_is_refused_or_read(tmp_path: Path) -> None:
    path = linear(tmp_path, "int8", "int8")
    content = path.read_bytes()
    for position in range(8, len(content), 2):
        path.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        try:
            read_graph(path)
        except UsageError as error:
            assert "small.tflite" in error.message


def test_foreign_and_missing_files(tmp_path: Path) -> None:
    path = tmp_path / "foreign.tflite"
    path.write_bytes(b"\x08\x08 an ONNX file")
    with pytest.raises(UsageError, match=r"foreign\.tflite is not"):
        read_graph(path)
    with pytest.raises(UsageError, match="cannot read"):
        read_graph(tmp_path / "absent.tflite")


def test_third_party_models(shared_data: Path) -> None:
    graphs = {path.stem: read_graph(path) for path in sorted((shared_data / "edge_models" / "tflite").glob("*.tflite"))}
    for name in ("mobilenet_v2_1.0_224_keras_ptq_int8", "mobilenet_v2_1.0_224_pytorch_nchw_int8"):
        assert graphs[name].macs == pytest.approx(0.3008e9, rel=0.01)
    for name, graph in graphs.items():
        assert (graph.int8_mac_share > 0.99) == ("int8" in name)
    assert "FlexTranspose" in {op.native for op in graphs["mobilevit_xxs_256_flowers5_flexops"].ops}
