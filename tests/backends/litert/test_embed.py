"""Pixels into TFLite graphs: any layout, the signature and the tensors' names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")

from edgevit.backends.litert.embed import embed_normalization  # noqa: E402
from edgevit.backends.litert.export import export  # noqa: E402
from edgevit.backends.litert.graph import read_graph  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402

MEAN, STD = (0.0, 0.5, 1.0), (1.0, 0.5, 2.0)
BLACK, WHITE = (0.0, -1.0, -0.5), (1.0, 1.0, 0.0)
"""What pixels of 0 and of 255 become in each channel."""


class Means(torch.nn.Module):  # type: ignore[misc,name-defined]
    """The mean of each channel of the upper half of an image, whose channels are at ``axis``."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.axis == 1:
            return images[:, :, :2].mean(dim=(2, 3))
        return images[:, :2].mean(dim=(1, 2))


@pytest.fixture(scope="module", params=[1, 3])
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file whose channels come first, and one whose channels come last."""
    shape = (1, 3, 4, 5) if request.param == 1 else (1, 4, 5, 3)
    program = torch.export.export(Means(request.param), (torch.zeros(shape),))
    return export(program, tmp_path_factory.mktemp("plain")).read_bytes()


@pytest.fixture
def embedded(plain: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(plain)
    embed_normalization(path, MEAN, STD)
    return path


def run(path: Path, pixels: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner()
    return np.asarray(runner(input=pixels)["logits"])


def test_black_and_white_are_what_they_are(embedded: Path) -> None:
    for level, expected in ((0, BLACK), (255, WHITE)):
        assert run(embedded, np.full((1, 4, 5, 3), level, np.uint8))[0].tolist() == list(expected)


def test_every_pixel_keeps_its_place(embedded: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 5, 3), dtype=np.uint8)
    expected = ((pixels[:, :2] / 255 - MEAN) / STD).mean(axis=(1, 2))
    np.testing.assert_allclose(run(embedded, pixels), expected, atol=1e-5)


def test_the_name_of_the_input_is_now_that_of_the_pixels(plain: bytes, embedded: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.tflite").write_bytes(plain)
    before, after = read_graph(tmp_path / "plain.tflite"), read_graph(embedded)
    assert before.inputs == after.inputs
    assert (after.tensor[after.inputs[0]].dtype, after.tensor[after.inputs[0]].shape) == ("uint8", (1, 4, 5, 3))
    assert len({tensor.name for tensor in after.tensors}) == len(after.tensors)
    steps = [op.native for op in after.ops][: len(after.ops) - len(before.ops)]
    assert steps in (["TRANSPOSE", "DEQUANTIZE", "SUB", "DIV"], ["DEQUANTIZE", "SUB", "DIV"])
    assert [op.native for op in after.ops][len(steps) :] == [op.native for op in before.ops]


def test_it_is_done_once(embedded: Path) -> None:
    before = embedded.read_bytes()
    with pytest.raises(UsageError, match=r"model\.tflite does not take one float32 image"):
        embed_normalization(embedded, MEAN, STD)
    assert embedded.read_bytes() == before
