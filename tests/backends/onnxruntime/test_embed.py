"""Pixels into ONNX graphs, also of others: any layout, an open batch, branches, names that are taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from edgevit.backends.onnxruntime.embed import embed_normalization  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402

MEAN, STD = (0.0, 0.5, 1.0), (1.0, 0.5, 2.0)
BLACK, WHITE = (0.0, -1.0, -0.5), (1.0, 1.0, 0.0)
"""What pixels of 0 and of 255 become in each channel."""
PIXELS = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
NORMALIZED = ((PIXELS / 255 - MEAN) / STD).astype(np.float32)


def write(
    path: Path,
    shape: list[int | str],
    nodes: list[onnx.NodeProto] | None = None,
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("y",),
) -> Path:
    """A model that hands its input "x" on, unless it has other nodes."""
    given = helper.make_tensor_value_info("x", kind, shape)
    made = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
    graph = helper.make_graph(nodes or [helper.make_node("Identity", ["x"], ["y"])], "g", [given], made)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def run(path: Path, pixels: np.ndarray) -> list[np.ndarray]:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {"x": pixels})
    return found


@pytest.mark.parametrize("levels", [(0, BLACK), (255, WHITE)])
@pytest.mark.parametrize("is_first", [True, False])
def test_black_and_white_are_what_they_are(
    levels: tuple[int, tuple[float, ...]], is_first: bool, tmp_path: Path
) -> None:
    path = write(tmp_path / "m.onnx", [1, 3, 4, 5] if is_first else [1, 4, 5, 3])
    embed_normalization(path, MEAN, STD)
    level, expected = levels
    (found,) = run(path, np.full((1, 4, 5, 3), level, np.uint8))
    assert found.shape == ((1, 3, 4, 5) if is_first else (1, 4, 5, 3))
    channels = found[0, :, 1, 2] if is_first else found[0, 1, 2]
    assert channels.tolist() == list(expected)


def test_every_pixel_keeps_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [1, 3, 4, 5])
    embed_normalization(path, MEAN, STD)
    np.testing.assert_allclose(run(path, PIXELS)[0], NORMALIZED.transpose(0, 3, 1, 2), atol=1e-6)


def test_an_open_batch_stays_open(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", ["n", 3, 4, 5])
    embed_normalization(path, MEAN, STD)
    dims = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_param or dim.dim_value for dim in dims] == ["n", 4, 5, 3]
    assert run(path, np.concatenate([PIXELS, PIXELS]))[0].shape == (2, 3, 4, 5)


def test_what_reads_the_image_in_a_branch_or_hands_it_out_gets_it_normalized(tmp_path: Path) -> None:
    def branch(name: str, factor: float) -> onnx.GraphProto:
        constant = numpy_helper.from_array(np.array(factor, np.float32), f"{name}_factor")
        node = helper.make_node("Mul", ["x", f"{name}_factor"], [f"{name}_out"])
        out = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
        return helper.make_graph([node], name, [], [out], [constant])

    yes = numpy_helper.from_array(np.array(True), "yes")
    nodes = [
        helper.make_node("Constant", [], ["is"], value=yes),
        helper.make_node("If", ["is"], ["y"], then_branch=branch("then", 2), else_branch=branch("else", 3)),
        helper.make_node("Identity", ["x"], ["x_normalized"]),  # a name that is taken
    ]
    path = write(tmp_path / "m.onnx", [1, 4, 5, 3], nodes, outputs=("y", "x_normalized"))
    embed_normalization(path, MEAN, STD)
    doubled, same = run(path, PIXELS)
    np.testing.assert_allclose(same, NORMALIZED, atol=1e-6)
    np.testing.assert_allclose(doubled, 2 * NORMALIZED, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [([1, 10], TensorProto.FLOAT), ([1, 4, 5, 3], TensorProto.UINT8), ([1, 3, 4, 5], TensorProto.FLOAT16)],
)
def test_other_inputs_are_refused_and_left_as_they_are(shape: list[int | str], kind: int, tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", shape, kind=kind)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"m\.onnx does not take one float32 image"):
        embed_normalization(path, MEAN, STD)
    assert path.read_bytes() == before
