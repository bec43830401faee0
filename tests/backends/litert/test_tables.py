"""Tables of TFLite files, read without a package: the same as by LiteRT's own schema."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgevit.backends.litert.tables import OP_NAMES, TYPE_NAMES, read_model

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
PROBE = Path(__file__).parents[3] / "edgevit" / "commands" / "probes" / "probe.tflite"


def names_of(kind: Any) -> dict[int, str]:
    return {value: name for name, value in vars(kind).items() if isinstance(value, int)}


def as_read(content: bytes) -> Iterator[Any]:
    model = read_model(content)
    for code in model.codes:
        yield code.builtin, code.custom, code.version
    yield [buffer.filled for buffer in model.buffers]
    for graph in model.subgraphs:
        yield graph.inputs, graph.outputs
        yield [(op.code, op.inputs, op.outputs) for op in graph.operators]
        for tensor in graph.tensors:
            yield tensor.name, tensor.shape, tensor.signature, tensor.type, tensor.buffer, tensor.scale_count


def as_schema_has_it(content: bytes) -> Iterator[Any]:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    ops, types = names_of(schema.BuiltinOperator), names_of(schema.TensorType)

    def integers(values: Any) -> tuple[int, ...]:
        return () if values is None else tuple(map(int, values))

    for code in model.operatorCodes:
        custom = (code.customCode or b"").decode()
        yield ops[max(code.builtinCode, code.deprecatedBuiltinCode)], custom, code.version
    yield [bool((each.data is not None and len(each.data)) or each.offset > 1) for each in model.buffers]
    for graph in model.subgraphs:
        yield integers(graph.inputs), integers(graph.outputs)
        yield [(op.opcodeIndex, integers(op.inputs), integers(op.outputs)) for op in graph.operators or ()]
        for tensor in graph.tensors:
            scales = tensor.quantization and tensor.quantization.scale
            yield (
                (tensor.name or b"").decode(),
                integers(tensor.shape),
                integers(tensor.shapeSignature),
                types[tensor.type],
                tensor.buffer,
                0 if scales is None else len(scales),
            )


def test_numbers_of_ops_and_types_are_those_of_the_schema() -> None:
    ops, types = names_of(schema.BuiltinOperator), names_of(schema.TensorType)
    assert dict(enumerate(OP_NAMES)) == {place: ops[place] for place in range(len(OP_NAMES))}
    assert dict(enumerate(TYPE_NAMES)) == {place: types[place] for place in range(len(TYPE_NAMES))}


def test_a_file_is_read_as_the_schema_reads_it() -> None:
    content = PROBE.read_bytes()
    assert list(as_read(content)) == list(as_schema_has_it(content))


@pytest.mark.slow
def test_files_of_others_are_read_as_the_schema_reads_them(shared_data: Path) -> None:
    files = sorted((shared_data / "edge_models" / "tflite").glob("*.tflite"))
    assert files
    for file in files:
        content = file.read_bytes()
        assert list(as_read(content)) == list(as_schema_has_it(content)), file.name


def test_what_is_cut_off_or_points_outside_is_damaged() -> None:
    content = PROBE.read_bytes()
    for length in range(8, len(content), 97):
        try:
            for _ in as_read(content[:length]):
                pass
        except (struct.error, IndexError, ValueError):
            continue
        assert length > len(content) // 2, "the tables are there, what is behind them is not read"
    with pytest.raises((struct.error, IndexError)):
        list(as_read(struct.pack("<I", 2**31) + content[4:]))
