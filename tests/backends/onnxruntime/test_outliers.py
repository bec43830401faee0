"""Linear layers whose input has outlier tokens are found; errors of single rows have known values."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgevit.backends.onnxruntime.outliers import (  # noqa: E402
    IMAGES,
    LARGEST_ROW_ERROR,
    find_outlier_layers,
    row_error,
    session_with_outputs,
)

TOKENS, WIDTH = 16, 8
OUTLIER = np.where(np.arange(TOKENS)[:, None] == 3, 1000.0, 1.0).astype(np.float32)
"""What multiplies the tokens before the second layer: the fourth one becomes far larger than the others."""


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, TOKENS, WIDTH), dtype=np.float32)


def model() -> onnx.ModelProto:
    """A MatMul, a factor for each token, a Gemm with transposed weights; and a product of two activations."""
    weights = np.random.default_rng(1).standard_normal((2, WIDTH, WIDTH)).astype(np.float32)
    constants = {"first": weights[0], "factors": OUTLIER, "second": weights[1], "sum": np.array([0, 1], np.int64)}
    nodes = [
        helper.make_node("ReduceSum", ["input", "sum"], ["tokens"], name="sum", keepdims=0),
        helper.make_node("MatMul", ["tokens", "first"], ["even"], name="calm"),
        helper.make_node("Mul", ["even", "factors"], ["uneven"], name="scale"),
        helper.make_node("Gemm", ["uneven", "second"], ["logits"], name="outlying", transB=1),
        helper.make_node("Transpose", ["even"], ["turned"], name="turn"),
        helper.make_node("MatMul", ["turned", "uneven"], ["product"], name="product"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, TOKENS, WIDTH])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("logits", "product")],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def test_only_the_layer_that_reads_outlier_tokens_is_found() -> None:
    made = model()
    before = made.SerializeToString()
    assert find_outlier_layers(made, images(3)) == ["outlying"]
    assert made.SerializeToString() == before


def test_a_few_images_evenly_spaced_are_run(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    monkeypatch.setattr(
        "edgevit.backends.onnxruntime.outliers.row_error", lambda values, weight: float(bool(seen.append(values)))
    )
    assert find_outlier_layers(model(), images(3 * IMAGES)) == []
    assert len(seen) == 2 * IMAGES
    assert not np.array_equal(seen[0], seen[2])


def test_values_on_the_grid_have_no_error() -> None:
    grid = np.arange(256, dtype=np.float64).reshape(32, 8)
    assert row_error(grid, np.eye(8)) < 1e-12


def test_the_error_is_relative_to_each_row() -> None:
    """The step is 1, so 0.25 becomes 0 and loses all, 255 loses nothing."""
    values = np.array([[0.25, 0.0], [255.0, 0.0]])
    assert row_error(values, np.eye(2)) == pytest.approx(0.5)
    assert row_error(values[None], np.eye(2)) == pytest.approx(0.5)
    assert row_error(np.array([[0.25, 0.0]]), np.eye(2)) < LARGEST_ROW_ERROR


def test_more_tensors_become_outputs_and_none_twice() -> None:
    made = model()
    session = session_with_outputs(made, {"even", "uneven", "logits", "input"})
    assert [output.name for output in session.get_outputs()] == ["logits", "product", "even", "uneven"]
    assert len(made.graph.output) == 2
