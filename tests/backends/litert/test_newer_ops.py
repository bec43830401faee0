"""Files whose ops are newer than the runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgevit.backends.litert.newer_ops import FORMER, refuse_wrong_ops, unknown_op
from edgevit.errors import UsageError

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
flatbuffers = pytest.importorskip("flatbuffers")

SAID = (
    "Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'. An older version of this builtin might be supported."
    " Are you using an old TFLite binary with a newer model? Registration failed."
)
"""By tflite-runtime 2.14.0."""
FILE = Path("m.tflite")


def test_an_unknown_op_is_named_with_its_version_and_who_runs_it() -> None:
    error = unknown_op(ValueError(SAID), FILE, FORMER, "2.14.0")
    assert error
    assert error.message == "m.tflite has FULLY_CONNECTED version 12, which tflite-runtime 2.14.0 does not know"
    assert "pip install ai-edge-litert" in str(error.hint)
    newer = unknown_op(RuntimeError(SAID), FILE, "ai-edge-litert", "2.0.1")
    assert newer
    assert "a newer ai-edge-litert" in str(newer.hint)
    assert unknown_op(ValueError("Mapped file is too small"), FILE, FORMER, "2.14.0") is None


def fully_connected(path: Path, scales: int, kind: str = "INT8", op: str = "FULLY_CONNECTED") -> Path:
    """A file with one op whose weights have so many scales."""

    def tensor(shape: tuple[int, ...], kind: str, buffer: int, scales: int = 0) -> Any:
        made = schema.TensorT()
        made.shape, made.type, made.buffer = list(shape), getattr(schema.TensorType, kind), buffer
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.ones(scales, np.float32)
        return made

    code, operator, graph, model = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, op)
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    graph.tensors = [tensor((1, 4), "FLOAT32", 0), tensor((3, 4), kind, 1, scales), tensor((1, 3), "FLOAT32", 0)]
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    empty, filled = schema.BufferT(), schema.BufferT()
    filled.data = list(bytes(12))
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [empty, filled]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


@pytest.mark.parametrize("version", ["2.14.0", "2.5.0.post1", "2.16.1"])
def test_a_scale_for_each_row_is_refused_where_it_would_be_computed_wrongly(version: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"1 FULLY_CONNECTED with a scale for each row .* computes wrongly") as caught:
        refuse_wrong_ops(fully_connected(tmp_path / "m.tflite", scales=3), FORMER, version)
    assert "ai-edge-litert" in str(caught.value.hint)


def test_what_is_computed_rightly_passes(tmp_path: Path) -> None:
    rows = fully_connected(tmp_path / "rows.tflite", scales=3)
    refuse_wrong_ops(rows, FORMER, "2.17.0")
    refuse_wrong_ops(rows, "ai-edge-litert", "2.0.1")
    refuse_wrong_ops(fully_connected(tmp_path / "one.tflite", scales=1), FORMER, "2.14.0")
    refuse_wrong_ops(fully_connected(tmp_path / "float.tflite", scales=0, kind="FLOAT32"), FORMER, "2.14.0")
    refuse_wrong_ops(fully_connected(tmp_path / "conv.tflite", scales=3, op="CONV_2D"), FORMER, "2.14.0")


def test_a_damaged_file_is_no_reason_to_go_on(tmp_path: Path) -> None:
    path = fully_connected(tmp_path / "m.tflite", scales=3)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UsageError, match="damaged"):
        refuse_wrong_ops(path, FORMER, "2.14.0")
