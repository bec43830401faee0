"""Sessions of OpenVINO: what they report, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ov = pytest.importorskip("openvino")

from openvino import opset13  # noqa: E402

from edgevit.backends.openvino.session import RuntimeSession  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.results.artifact import TensorSpec  # noqa: E402


def double(folder: Path, shape: list[int], dtype: type = np.float32) -> Path:
    """A file with y = x + x; -1 is an open axis."""
    x = opset13.parameter(shape, dtype)
    model = ov.Model([opset13.add(x, x)], [x], "double")
    model.input(0).set_names({"x"})
    model.output(0).set_names({"y"})
    ov.save_model(model, folder / "double.xml", compress_to_fp16=False)
    return folder / "double.xml"


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_it_runs_and_reports_what_it_is(dtype: type, tmp_path: Path) -> None:
    session = RuntimeSession(double(tmp_path, [1, 3, 2, 2], dtype), 1, "f32")
    name = np.dtype(dtype).name
    assert session.inputs == (TensorSpec("x", (1, 3, 2, 2), name, "NCHW"),)
    assert session.outputs == (TensorSpec("y", (1, 3, 2, 2), name, "NCHW"),)
    assert (session.delegate, session.precision) == ("CPU plugin", "f32")
    assert ov.__version__.startswith(session.runtime_version)
    values = np.arange(12).astype(dtype).reshape(1, 3, 2, 2)
    (made,) = session.run((values,))
    np.testing.assert_array_equal(made, 2 * values)
    again = session.run((np.zeros_like(values),))
    assert not again[0].any()
    np.testing.assert_array_equal(made, 2 * values)


def test_an_open_batch_takes_as_many_images_as_are_asked_for(tmp_path: Path) -> None:
    session = RuntimeSession(double(tmp_path, [-1, 10]), 1, "f32", 3)
    assert (session.inputs[0].shape, session.outputs[0].shape) == ((3, 10), (3, 10))
    assert session.run((np.ones((3, 10), np.float32),))[0].shape == (3, 10)


def test_values_that_do_not_lie_in_a_row_are_read_as_they_are(tmp_path: Path) -> None:
    session = RuntimeSession(double(tmp_path, [4, 3]), 1, "f32")
    values = np.arange(12, dtype=np.float32).reshape(3, 4).T
    np.testing.assert_array_equal(session.run((values,))[0], 2 * values)


def test_an_open_image_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"double\.xml: x has open axes: \[1, 3, \?, \?\]"):
        RuntimeSession(double(tmp_path, [1, 3, -1, -1]), 1, "f32")


def test_bfloat16_is_what_was_asked_for_or_refused(tmp_path: Path) -> None:
    path = double(tmp_path, [1, 3])
    if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert RuntimeSession(path, 1, "bf16").precision == "bf16"
    else:
        with pytest.raises(UsageError, match="no bfloat16 arithmetic"):
            RuntimeSession(path, 1, "bf16")
