"""Small OpenVINO models quantized in each way: which layers multiply in int8, and which stay float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ov = pytest.importorskip("openvino")
pytest.importorskip("nncf")

from openvino import opset13  # noqa: E402

from edgevit.backends.openvino.graph import read_graph  # noqa: E402
from edgevit.backends.openvino.quantize import quantize  # noqa: E402
from edgevit.backends.openvino.session import RuntimeSession  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402

SIDE, WIDTH = 8, 64
LAYER = 3 * SIDE * WIDTH * WIDTH
"""MACs of each of the two layers."""
SCHEMES = {
    "static_wi8_ai8": "int8_static",
    "weight_only_wi8_afp32": "int8_weights",
    "weight_only_wi4_afp32": "int8_weights",
}


def images(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, SIDE, WIDTH), dtype=np.float32)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A product with constant weights, GELU, and another such product."""
    weights = np.random.default_rng(1).standard_normal((2, WIDTH, WIDTH)).astype(np.float32) / 8
    x = opset13.parameter([1, 3, SIDE, WIDTH], np.float32, "input")
    first = opset13.matmul(x, opset13.constant(weights[0]), False, True, name="first")
    second = opset13.matmul(opset13.gelu(first, "erf"), opset13.constant(weights[1]), False, True, name="second")
    path = tmp_path_factory.mktemp("parent") / "parent.xml"
    ov.save_model(ov.Model([second], [x], "small"), path, compress_to_fp16=False)
    return path


def numerics(path: Path) -> dict[str, int]:
    """MACs by how they are done."""
    found: dict[str, int] = {}
    for op in read_graph(path).layers:
        found[op.numerics] = found.get(op.numerics, 0) + op.macs
    return found


@pytest.mark.parametrize(("scheme", "expected"), SCHEMES.items())
def test_every_layer_multiplies_as_the_scheme_says(scheme: str, expected: str, parent: Path, tmp_path: Path) -> None:
    path = quantize(parent, Recipe(scheme), images(), tmp_path)
    assert numerics(path) == {expected: 2 * LAYER}
    before, after = (RuntimeSession(file, 1, "f32").run((images(1),))[0] for file in (parent, path))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.97


@pytest.mark.parametrize(("scheme", "expected"), SCHEMES.items())
def test_a_named_layer_stays_float(scheme: str, expected: str, parent: Path, tmp_path: Path) -> None:
    path = quantize(parent, Recipe(scheme, float_layers=("first",)), images(), tmp_path)
    assert numerics(path) == {"float": LAYER, expected: LAYER}


@pytest.mark.parametrize(("scheme", "share"), [("fp16", 0.5), ("bf16", 1.0)])
def test_half_precision_is_in_the_file_or_in_a_hint(scheme: str, share: float, parent: Path, tmp_path: Path) -> None:
    path = quantize(parent, Recipe(scheme), None, tmp_path)
    sizes = [file.with_suffix(".bin").stat().st_size for file in (parent, path)]
    assert sizes[1] == pytest.approx(share * sizes[0], rel=0.01)
    assert numerics(path) == {"float": 2 * LAYER}


def test_a_static_scheme_needs_images(parent: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="static_wi8_ai8 needs calibration images"):
        quantize(parent, Recipe("static_wi8_ai8"), None, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("preparations", "count"), [((), 1), (("polynomial_gelu",), 0)])
def test_gelu_becomes_a_polynomial_only_when_asked_for(
    preparations: tuple[str, ...], count: int, parent: Path, tmp_path: Path
) -> None:
    path = quantize(parent, Recipe("static_wi8_ai8", preparations=preparations), images(), tmp_path)  # type: ignore[arg-type]
    assert [op.native for op in read_graph(path).ops].count("Gelu") == count


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions, each with a bias, that are not zero on average."""
    draw = np.random.default_rng(2)
    x = node = opset13.parameter([1, 3, SIDE, WIDTH], np.float32, "input")
    for inputs, outputs in ((3, 8), (8, 8)):
        weight = (draw.standard_normal((outputs, inputs, 3, 3)) / 4).astype(np.float32)
        node = opset13.convolution(node, opset13.constant(weight), [1, 1], [1, 1], [1, 1], [1, 1])
        bias = draw.standard_normal((1, outputs, 1, 1)).astype(np.float32)
        node = opset13.relu(opset13.add(node, opset13.constant(bias)))
    path = tmp_path_factory.mktemp("convolutions") / "parent.xml"
    ov.save_model(ov.Model([node], [x], "convolutions"), path, compress_to_fp16=False)
    return path


def constants(path: Path, kind: type) -> list[np.ndarray]:
    """Constants of a type with more than one value."""
    model = ov.Core().read_model(path)
    found = [op.data for op in model.get_ordered_ops() if op.get_type_name() == "Constant"]
    return [values for values in found if values.dtype == kind and values.size > 1]


@pytest.mark.parametrize("keeps", [False, True])
def test_biases_are_corrected_unless_they_are_to_be_kept(keeps: bool, convolutions: Path, tmp_path: Path) -> None:
    recipe = Recipe("static_wi8_ai8", preparations=("tuned_biases",) if keeps else ())
    path = quantize(convolutions, recipe, images(), tmp_path)
    before = [values.ravel() for values in constants(convolutions, np.float32) if values.shape[0] == 1]
    after = [values.ravel() for values in constants(path, np.float32)]
    kept = [any(np.array_equal(bias, other) for other in after) for bias in before]
    assert len(before) == 2
    assert kept[1] == keeps


@pytest.mark.parametrize(("reduce", "largest"), [(False, 127), (True, 64)])
def test_every_layer_has_the_whole_range_of_its_weights_unless_sums_saturate(
    reduce: bool, largest: int, convolutions: Path, tmp_path: Path
) -> None:
    path = quantize(convolutions, Recipe("static_wi8_ai8", reduce_range=reduce), images(), tmp_path)
    weights = [int(np.abs(values.astype(int)).max()) for values in constants(path, np.int8)]
    assert len(weights) == 2
    assert all(largest - 1 <= each <= largest + 1 for each in weights)
