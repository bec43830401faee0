"""Integers from input to output: the right scale and zero point, and the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ai_edge_quantizer")

from edgevit.artifacts.feed import run_once  # noqa: E402
from edgevit.backends.litert.export import export  # noqa: E402
from edgevit.backends.litert.graph import read_graph  # noqa: E402
from edgevit.backends.litert.quantize import quantize  # noqa: E402
from edgevit.backends.litert.session import RuntimeSession  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.spec.recipe import IntegerIo, Recipe  # noqa: E402

LOW, HIGH = -2.0, 3.0
"""Extremes of the images."""


class Net(torch.nn.Module):  # type: ignore[misc,name-defined]
    """Two layers, so that there is an inside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2)
        self.head = torch.nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(images)).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    found = np.random.default_rng(0).uniform(LOW, HIGH, (16, 3, 16, 16)).astype(np.float32)
    found[:, 0, 0, :2] = LOW, HIGH
    return found


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    return export(capture(Net().eval(), (16, 16)), tmp_path_factory.mktemp("float"))


def made(parent: Path, images: np.ndarray, io: IntegerIo, folder: Path) -> Path:
    return quantize(parent, Recipe("static_wi8_ai8", integer_io=io), images, folder)


@pytest.mark.parametrize(("io", "lowest"), [("int8", -128), ("uint8", 0)])
def test_scale_and_zero_point_cover_the_range_of_the_images(
    io: IntegerIo, lowest: int, parent: Path, images: np.ndarray, tmp_path: Path
) -> None:
    session = RuntimeSession(made(parent, images, io, tmp_path), 1, "f32")
    (given,), (logits,) = session.inputs, session.outputs
    assert (given.dtype, logits.dtype) == (io, io)
    assert given.scale == pytest.approx((HIGH - LOW) / 255, rel=1e-3)
    assert given.zero_point == round(lowest - LOW / ((HIGH - LOW) / 255))
    assert logits.scale is not None
    assert logits.zero_point is not None


def test_uint8_gives_what_int8_gives(parent: Path, images: np.ndarray, tmp_path: Path) -> None:
    answers = []
    for io in ("int8", "uint8"):
        (tmp_path / io).mkdir()
        path = made(parent, images, io, tmp_path / io)
        session = RuntimeSession(path, 1, "f32")
        answers.append(np.concatenate([run_once(session, image[None]) for image in images]))
        assert read_graph(path).numerics == "static int8"
        assert read_graph(path).int8_mac_share == 1.0
    np.testing.assert_array_equal(*answers)
    float_session = RuntimeSession(parent, 1, "f32")
    expected = np.concatenate([run_once(float_session, image[None]) for image in images])
    assert np.abs(answers[0] - expected).max() < 0.05 * np.abs(expected).max()
