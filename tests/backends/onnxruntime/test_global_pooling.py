"""ReduceMean over an image is GlobalAveragePool, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper, shape_inference  # noqa: E402

from edgevit.backends.onnxruntime.global_pooling import pool_globally  # noqa: E402

SHAPE = (1, 3, 5, 4)


def model(axes: list[int], keepdims: int, shape: tuple[int, ...] = SHAPE) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Relu", ["input"], ["x"], name="relu"),
        helper.make_node("ReduceMean", ["x", "axes"], ["logits"], name="mean", keepdims=keepdims),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(axes, np.int64), "axes")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return shape_inference.infer_shapes(made)


def answer(made: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"input": image})[0])


@pytest.mark.parametrize("axes", [[2, 3], [-2, -1], [3, 2]])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_the_same_numbers_come_out(axes: list[int], keepdims: int) -> None:
    image = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    made = model(axes, keepdims)
    before = answer(made, image)
    assert pool_globally(made) == 1
    assert "ReduceMean" not in {node.op_type for node in made.graph.node}
    np.testing.assert_allclose(answer(made, image), before, rtol=1e-6)


@pytest.mark.parametrize(("axes", "shape"), [([1, 2], SHAPE), ([3], SHAPE), ([1, 2], (1, 5, 4))])
def test_other_means_stay(axes: list[int], shape: tuple[int, ...]) -> None:
    made = model(axes, 0, shape)
    assert pool_globally(made) == 0
    assert [node.op_type for node in made.graph.node] == ["Relu", "ReduceMean"]
