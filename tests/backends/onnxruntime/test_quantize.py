"""Small ONNX models quantized in each way: which layers multiply in int8, and which stay float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime.quantization")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgevit.backends.onnxruntime.graph import read_graph  # noqa: E402
from edgevit.backends.onnxruntime.quantize import quantize  # noqa: E402
from edgevit.backends.onnxruntime.session import RuntimeSession  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402

SIDE, WIDTH = 8, 64
MACS = {"first": 3 * SIDE * WIDTH * WIDTH, "second": 3 * SIDE * WIDTH * WIDTH}

WHOLE = sum(MACS.values())


def images(count: int = 8) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, SIDE, WIDTH), dtype=np.float32)


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    """Two products with constant weights, a ReLU between them, and what only turns the sign of the image."""
    weights = np.random.default_rng(1).standard_normal((2, WIDTH, WIDTH)).astype(np.float32) / 8
    nodes = [
        helper.make_node("Neg", ["input"], ["tokens"], name="negative"),
        helper.make_node("MatMul", ["tokens", "w1"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="relu"),
        helper.make_node("MatMul", ["b", "w2"], ["logits"], name="second"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, SIDE, WIDTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3, SIDE, WIDTH])],
        [numpy_helper.from_array(weights[0], "w1"), numpy_helper.from_array(weights[1], "w2")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "parent.onnx")
    return tmp_path / "parent.onnx"


def made(parent: Path, folder: Path, recipe: Recipe, calibration: np.ndarray | None = None) -> Path:
    (folder / "made").mkdir()
    return quantize(parent, recipe, calibration, folder / "made")


def numerics(path: Path) -> dict[str, int]:
    """MACs by how they are done."""
    graph = read_graph(path)
    found: dict[str, int] = {}
    for op in graph.layers:
        found[op.numerics] = found.get(op.numerics, 0) + op.macs
    return found


SCHEMES = {
    "dynamic_wi8_afp32": "int8_dynamic",
    "static_wi8_ai8": "int8_static",
    "weight_only_wi8_afp32": "int8_weights",
    "weight_only_wi4_afp32": "int8_weights",
}


@pytest.mark.parametrize(("scheme", "expected"), SCHEMES.items())
def test_every_layer_multiplies_as_the_scheme_says(scheme: str, expected: str, parent: Path, tmp_path: Path) -> None:
    path = made(parent, tmp_path, Recipe(scheme), images())
    assert numerics(path) == {expected: WHOLE}
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    before, after = (RuntimeSession(file, 1, "f32").run((images(1),))[0] for file in (parent, path))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(("scheme", "expected"), SCHEMES.items())
def test_a_named_layer_stays_float(scheme: str, expected: str, parent: Path, tmp_path: Path) -> None:
    path = made(parent, tmp_path, Recipe(scheme, float_layers=("first",)), images())
    assert numerics(path) == {"float": MACS["first"], expected: MACS["second"]}


def test_a_static_scheme_needs_images(parent: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="static_wi8_ai8 needs calibration images"):
        made(parent, tmp_path, Recipe("static_wi8_ai8"))


def test_a_dynamic_scheme_leaves_layers_with_outlier_tokens_in_float(parent: Path, tmp_path: Path) -> None:
    outliers = images()
    outliers[:, 0, 0] *= 10_000
    path = made(parent, tmp_path, Recipe("dynamic_wi8_afp32"), outliers)
    assert numerics(path) == {"float": WHOLE}
