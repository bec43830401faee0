"""Models of other inputs than RGB on every backend: captured, exported, fed by edgevit and by the script beside the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.api.load import load  # noqa: E402
from edgevit.artifacts.feed import run_once  # noqa: E402
from edgevit.artifacts.use_script import USE_SCRIPT, use_script  # noqa: E402
from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.preprocess import preprocess  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from tests.factories import make_contract  # noqa: E402

GREY = Preprocessing((24, 20), (0.4,), (0.3,), "bilinear", 0.9)
FOUR = Preprocessing((24, 20), (0.4, 0.5, 0.6, 0.7), (0.3,) * 4, "bicubic", 0.9)
ARRAY = Preprocessing((24, 20), (0.0, 1.0), (1.0, 2.0), input="array")
BACKENDS = [
    pytest.param("onnxruntime"),
    pytest.param("openvino", marks=pytest.mark.slow),
    pytest.param("litert", marks=pytest.mark.slow),
]


def network(channels: int) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(channels, 8, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )
    return layers.eval()


def image_of(wanted: Preprocessing, folder: Path) -> Path:
    """A file that the model takes."""
    generator = np.random.default_rng(3)
    if wanted is GREY:
        pixels = generator.integers(0, 256, (31, 47, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "image.png")
        return folder / "image.png"
    integers = generator.integers(0, 256, (31, 47, 4), dtype=np.uint8)
    floats = generator.standard_normal((24, 20, 2)).astype(np.float32)
    np.save(folder / "image.npy", integers if wanted is FOUR else floats)
    return folder / "image.npy"


@pytest.mark.parametrize("wanted", [GREY, FOUR, ARRAY], ids=["grey", "four channels", "array"])
@pytest.mark.parametrize("name", BACKENDS)
def test_an_artifact_answers_as_the_model_does(name: str, wanted: Preprocessing, tmp_path: Path) -> None:
    backend, module = get_backend(name), network(wanted.channels)
    path = backend.export(capture(module, wanted.input_size, wanted.channels), tmp_path)
    contract = make_contract(preprocessing=wanted, classes=("a", "b", "c", "d"), scheme="fp32")
    backend.write_contract(path, contract)
    script = path.with_name(USE_SCRIPT)
    script.write_text(use_script(backend, path.name, contract), encoding="utf-8")

    classifier, image = load(path), image_of(wanted, tmp_path)
    assert classifier.preprocessing == wanted  # read from the file
    pixels = classifier.prepare(image)
    with torch.inference_mode():
        expected = module(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(run_once(backend.open_session(path, 1, "f32"), pixels), expected, rtol=1e-4, atol=1e-5)

    answers = [f"{probability:8.2%}  {label}" for label, probability in classifier.classify(image)]
    done = subprocess.run([sys.executable, "-I", str(script), str(image)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(image), *answers]


def test_channels_are_resized_each_by_itself() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 29, 3), dtype=np.uint8)
    rgb = Preprocessing((24, 20), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bicubic", 0.9)
    np.testing.assert_array_equal(preprocess(pixels, rgb), preprocess(Image.fromarray(pixels), rgb))


def test_an_array_stays_as_it_is() -> None:
    values = np.random.default_rng(0).standard_normal((24, 20, 2)).astype(np.float32)
    plain = Preprocessing((24, 20), (0.0, 0.0), (1.0, 1.0), input="array")
    np.testing.assert_array_equal(preprocess(values, plain), values.transpose(2, 0, 1))
    np.testing.assert_allclose(preprocess(values, ARRAY)[1], (values[..., 1] - 1) / 2, rtol=1e-6)
