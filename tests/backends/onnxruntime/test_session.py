"""Sessions of ONNX Runtime: what they report, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402

from edgevit.backends import get_backend  # noqa: E402
from edgevit.backends.onnxruntime.session import RuntimeSession  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.results.artifact import TensorSpec  # noqa: E402


def double(folder: Path, shape: list[int | str], dtype: int = TensorProto.FLOAT) -> Path:
    """A file with y = x + x."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", dtype, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "double.onnx")
    return folder / "double.onnx"


def test_it_runs_and_reports_what_it_is(tmp_path: Path) -> None:
    session = RuntimeSession(double(tmp_path, [1, 3, 2, 2]), 1, "f32")
    assert session.inputs == (TensorSpec("x", (1, 3, 2, 2), "float32", "NCHW"),)
    assert session.outputs == (TensorSpec("y", (1, 3, 2, 2), "float32", "NCHW"),)
    assert (session.delegate, session.precision) == ("CPUExecutionProvider", "f32")
    assert session.runtime_version == ort.__version__
    values = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    (made,) = session.run((values,))
    np.testing.assert_array_equal(made, 2 * values)


def test_an_open_batch_is_one_and_dtypes_are_numpys(tmp_path: Path) -> None:
    session = RuntimeSession(double(tmp_path, ["batch", 10], TensorProto.INT32), 2, "fastest")
    assert session.inputs == (TensorSpec("x", (1, 10), "int32", "NC"),)


def test_an_open_batch_takes_as_many_images_as_are_asked_for(tmp_path: Path) -> None:
    session = RuntimeSession(double(tmp_path, ["batch", 10]), 1, "f32", 3)
    assert (session.inputs[0].shape, session.outputs[0].shape) == ((3, 10), (3, 10))
    assert session.run((np.ones((3, 10), np.float32),))[0].shape == (3, 10)


def test_a_fixed_batch_takes_no_other(tmp_path: Path) -> None:
    file = double(tmp_path, [8, 10])
    backend = get_backend("onnxruntime")
    assert backend.open_session(file, 1, "f32").inputs[0].shape == (8, 10)
    assert backend.open_session(file, 1, "f32", 8).inputs[0].shape == (8, 10)
    with pytest.raises(UsageError, match="does not take 4 images at once") as caught:
        backend.open_session(file, 1, "f32", 4)
    assert caught.value.hint == "the nearest that it takes is 8"


def test_open_image_sizes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"double\.onnx: x has open axes: \[1, 3, \?, \?\]"):
        RuntimeSession(double(tmp_path, [1, 3, "h", "w"]), 1, "f32")


def test_bfloat16_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not compute in bfloat16"):
        RuntimeSession(double(tmp_path, [1, 3]), 1, "bf16")
