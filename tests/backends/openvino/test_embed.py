"""Pixels into OpenVINO IR: any layout, weights as they were, the same bytes again."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

ov = pytest.importorskip("openvino")

from edgevit.backends.openvino.embed import embed_normalization  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402

MEAN, STD = (0.0, 0.5, 1.0), (1.0, 0.5, 2.0)
BLACK, WHITE = (0.0, -1.0, -0.5), (1.0, 1.0, 0.0)
"""What pixels of 0 and of 255 become in each channel."""
KERNEL = np.eye(3, dtype=np.int8).reshape(3, 3, 1, 1)
"""Of a convolution that hands the channels on."""


def write(folder: Path, shape: list[int], kind: str = "f32") -> Path:
    """A convolution with int8 weights that are expanded, on images with their channels first; else the image itself."""
    from openvino import opset13 as ops

    folder.mkdir(parents=True, exist_ok=True)
    given = ops.parameter(shape, getattr(ov.Type, kind), name="input")
    given.output(0).set_names({"input"})
    found = given
    if shape[1] == 3:
        weights = ops.convert(ops.constant(KERNEL), ov.Type.f32)
        found = ops.convolution(given, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    ov.save_model(ov.Model([ops.result(found)], [given], "model"), folder / "model.xml", compress_to_fp16=False)
    return folder / "model.xml"


def run(path: Path, pixels: np.ndarray) -> np.ndarray:
    compiled = ov.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled({"input": pixels})[0])


@pytest.mark.parametrize("levels", [(0, BLACK), (255, WHITE)])
@pytest.mark.parametrize("is_first", [True, False])
def test_black_and_white_are_what_they_are(
    levels: tuple[int, tuple[float, ...]], is_first: bool, tmp_path: Path
) -> None:
    path = write(tmp_path, [1, 3, 4, 5] if is_first else [1, 4, 5, 3])
    embed_normalization(path, MEAN, STD)
    level, expected = levels
    found = run(path, np.full((1, 4, 5, 3), level, np.uint8))
    channels = found[0, :, 1, 2] if is_first else found[0, 1, 2]
    np.testing.assert_allclose(channels, expected, atol=1e-6)


def test_every_pixel_keeps_its_place_and_weights_stay_compressed(tmp_path: Path) -> None:
    path = write(tmp_path / "a", [1, 3, 4, 5])
    again = shutil.copytree(path.parent, tmp_path / "b") / path.name
    embed_normalization(path, MEAN, STD)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
    expected = ((pixels / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(run(path, pixels), expected, atol=1e-5)
    constants = [op for op in ov.Core().read_model(path).get_ops() if op.get_type_name() == "Constant"]
    assert [
        op.get_output_element_type(0).get_type_name() for op in constants if op.get_output_shape(0) == [3, 3, 1, 1]
    ] == ["i8"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.bin", "model.xml"]
    embed_normalization(again, MEAN, STD)
    assert [file.read_bytes() for file in sorted(again.parent.iterdir())] == [
        file.read_bytes() for file in sorted(path.parent.iterdir())
    ]


@pytest.mark.parametrize(("shape", "kind"), [([1, 4, 5, 3], "u8"), ([1, 3, 4, 5, 6], "f32"), ([1, 4, 5, 3], "f16")])
def test_other_inputs_are_refused_and_left_as_they_are(shape: list[int], kind: str, tmp_path: Path) -> None:
    from openvino import opset13 as ops

    given = ops.parameter(shape, getattr(ov.Type, kind), name="input")
    path = tmp_path / "model.xml"
    ov.save_model(ov.Model([ops.result(given)], [given]), path, compress_to_fp16=False)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"model\.xml does not take one float32 image"):
        embed_normalization(path, MEAN, STD)
    assert path.read_bytes() == before
