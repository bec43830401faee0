"""Simulated int8 against the artifacts of every backend and int8 scheme.

The simulation is exact for single layers: one linear layer's outputs agree to float32 rounding. Through a deep network
such rounding decides single roundings to int8 differently, and their errors, a step each, decide more: after some layers
the two have errors of the same size but not the same errors. So whole networks are compared by what int8 changes: its
power against the float model is the same, and the logits agree as far as that allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.artifacts.int8_scheme import ReadInt8Job, read_int8_scheme  # noqa: E402
from edgevit.backends import all_backends, get_backend  # noqa: E402
from edgevit.data.images import open_images  # noqa: E402
from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.model.load import Model, load_model  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.trainable import Trainable, capture_for_training  # noqa: E402
from edgevit.quantization.policy import Target, first_guess, first_recipe  # noqa: E402
from edgevit.quantization.prepare import prepare_program  # noqa: E402
from edgevit.quantization.simulate import simulate  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402
from edgevit.spec.schemes import SCHEMES  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

# isort: split
from tests.contract.backend_template import run_all, snr_db  # noqa: E402

PAIRS = [
    (backend.name, scheme)
    for backend in all_backends()
    for scheme in backend.schemes
    if SCHEMES[scheme].is_int8 and scheme != "mixed_wi8_ai8"
]
IMAGES = 128
VIT = Target("transformer", False, "none", ("avx2", "avx512_vnni"))


class OneLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(48, 40)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.reshape(1, 16, 48)).reshape(1, -1)


@pytest.mark.parametrize("backend", [name for name, scheme in PAIRS if scheme == "dynamic_wi8_afp32"])
def test_a_single_layer_is_exact(backend: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, images = OneLayer().eval(), np.random.default_rng(0).normal(size=(4, 3, 16, 16)).astype(np.float32)
    images *= np.linspace(0.1, 3, 16, dtype=np.float32)[:, None]
    real, simulated = _logits(backend, Recipe("dynamic_wi8_afp32"), module, images, images, tmp_path)
    with torch.no_grad():
        unrounded = np.concatenate([module(torch.from_numpy(image[None])).numpy() for image in images])
    assert snr_db(real, unrounded) < 50
    assert snr_db(real, simulated) > 100


@cache
def digits(name: str) -> tuple[Model, np.ndarray, np.ndarray]:
    """A bundled model, images to calibrate with, and others."""
    model = load_model(ModelSpec(name=name), seed=0)

    def read(source: str) -> np.ndarray:
        images = open_images(source)
        return PreparedImages(images.samples, model.preprocessing).select(tuple(range(IMAGES))).array()

    return model, read("digits:train"), read("digits")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_vit", "digits_cnn"])
@pytest.mark.parametrize(("backend", "scheme"), PAIRS)
def test_digits(backend: str, scheme: str, name: str, tmp_path: Path) -> None:
    model, calibration, images = digits(name)
    target = Target("transformer" if name == "digits_vit" else "cnn", False, "none", ("avx2", "avx512_vnni"))
    recipe = first_recipe(get_backend(backend).policy, scheme, target)
    real, simulated = _logits(backend, recipe, model.module, calibration, images, tmp_path)
    assert snr_db(real, simulated) >= 25
    assert (real.argmax(1) == simulated.argmax(1)).mean() >= 0.99


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "scheme"), [(each.name, first_guess(each.policy, VIT).schemes[0]) for each in all_backends()]
)
def test_real_vit_tiny(backend: str, scheme: str, shared_data: Path, tmp_path: Path) -> None:
    weights = shared_data / "weights" / "vit_tiny_patch16_224.safetensors"
    model = load_model(ModelSpec(name="vit_tiny_patch16_224", weights=str(weights)), seed=0)
    contract = replace(model.preprocessing, crop_pct=1.0)

    def read(source: str) -> np.ndarray:
        images = PreparedImages(open_images(str(shared_data / source)).samples, contract)
        return images.select(tuple(range(0, 768, 8))).array()

    images = read("imagenet_val")
    recipe = first_recipe(get_backend(backend).policy, scheme, VIT)
    real, simulated = _logits(backend, recipe, model.module, read("imagenet_samples"), images, tmp_path)
    with torch.no_grad():
        unrounded = np.concatenate([model.module(torch.from_numpy(part)).numpy() for part in _batches(images)])
    assert abs(snr_db(unrounded, real) - snr_db(unrounded, simulated)) <= 2
    assert snr_db(real, simulated) >= snr_db(unrounded, real) - 3
    assert (real.argmax(1) == simulated.argmax(1)).mean() >= (real.argmax(1) == unrounded.argmax(1)).mean() - 0.02


def _logits(
    name: str, recipe: Recipe, module: nn.Module, calibration: np.ndarray, images: np.ndarray, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the artifact that a recipe makes, and simulated ones."""
    backend, size = get_backend(name), (images.shape[2], images.shape[3])
    for part in ("float", "int8"):
        (folder / part).mkdir()
    program, _ = prepare_program(capture(module, size), recipe.preparations, _Kept(calibration))  # type: ignore[arg-type]
    parent = backend.export(program, folder / "float", fused="fused_ops" in recipe.preparations)
    resolved = recipe.resolved(backend.read_graph(parent).layers)
    artifact = backend.quantize(parent, resolved, calibration, folder / "int8")
    student = Trainable(capture_for_training(module, size))
    simulate(student.graph, read_int8_scheme(ReadInt8Job(name, artifact, recipe)), calibration)
    with torch.no_grad():
        parts = [student(torch.from_numpy(part)).logits.numpy() for part in _batches(images)]
    return run_all(backend.open_session(artifact, 1, "f32"), images), np.concatenate(parts)


def _batches(images: np.ndarray) -> Iterator[np.ndarray]:
    return (images[start : start + 16] for start in range(0, len(images), 16))


class _Kept:
    """Images that are read already."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def array(self) -> np.ndarray:
        return self._images
