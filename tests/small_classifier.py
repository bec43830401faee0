"""A file that gives the mean of each channel."""

from __future__ import annotations

from pathlib import Path

import pytest


def write_small_classifier(path: Path) -> Path:
    """Writes an ONNX file that takes one image of 8 x 6 pixels, and skips the test where that cannot be made and run."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 6])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path
