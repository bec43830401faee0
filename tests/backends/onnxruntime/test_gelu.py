"""GELU by tanh."""

from __future__ import annotations

import math

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import helper  # noqa: E402

from edgevit.backends.onnxruntime.gelu import LARGEST_ERROR, tanh_gelu  # noqa: E402


def gelu(**given: str) -> onnx.ModelProto:
    node = helper.make_node("Gelu", ["x"], ["y"], **given)
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [20001]) for name in ("x", "y")]
    graph = helper.make_graph([node, helper.make_node("Identity", ["x"], ["z"])], "gelu", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_the_error_is_below_what_is_said() -> None:
    model = gelu(approximate="none")
    assert tanh_gelu(model) == 1
    onnx.checker.check_model(model)
    given = np.linspace(-10, 10, 20001, dtype=np.float32)
    (made,) = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"x": given}
    )
    exact = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in given.tolist()]
    error = float(np.abs(made - exact).max())
    assert 0.9 * LARGEST_ERROR < error <= LARGEST_ERROR


@pytest.mark.parametrize(("given", "count"), [({}, 1), ({"approximate": "tanh"}, 0)])
def test_only_what_is_exact_is_changed(given: dict[str, str], count: int) -> None:
    model = gelu(**given)
    assert tanh_gelu(model) == count
    assert tanh_gelu(model) == 0
