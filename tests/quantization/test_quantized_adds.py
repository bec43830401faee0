"""A model whose adds are quantized fails, and is repaired: by the right recipe, and by the ladder that finds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxruntime.quantization")

from edgevit import compress
from edgevit.artifacts.feed import run_once
from edgevit.backends import get_backend
from edgevit.data.images import Samples, open_images
from edgevit.data.prepared import PreparedImages
from edgevit.model.program.capture import capture
from edgevit.results.artifact import Preprocessing
from edgevit.spec.recipe import TRANSFORMER_FLOAT_KINDS, Recipe
from edgevit.spec.spec import Spec
from tests.models import wide_residual

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    digits = open_images("digits")
    return PreparedImages(Samples(digits.source, digits.ids[:64]), CONTRACT).array()


@pytest.mark.parametrize("name", ["onnxruntime", "litert"])
def test_float_adds_save_what_quantized_ones_lose(name: str, images: np.ndarray, tmp_path: Path) -> None:
    backend = get_backend(name)
    agreement = {}
    (tmp_path / "float").mkdir()
    parent = backend.export(capture(wide_residual(), (32, 32)), tmp_path / "float")
    reference = classes(name, parent, images)
    spoiled = Recipe("static_wi8_ai8", ranges="min_max")
    for label, recipe in (("spoiled", spoiled), ("kept", replace(spoiled, float_kinds=TRANSFORMER_FLOAT_KINDS))):
        (tmp_path / label).mkdir()
        made = backend.quantize(parent, recipe, images[:32], tmp_path / label)
        agreement[label] = float((classes(name, made, images) == reference).mean())
    assert agreement["spoiled"] < 0.7
    assert agreement["kept"] > 0.95


def classes(name: str, path: Path, images: np.ndarray) -> np.ndarray:
    session = get_backend(name).open_session(path, 1, "f32")
    return np.concatenate([run_once(session, image[None]) for image in images]).argmax(axis=1)


@pytest.mark.slow
def test_the_ladder_finds_it(tmp_path: Path) -> None:
    spec = Spec.model_validate(
        {
            "model": {"name": "tests.models:wide_residual", "random_weights": True},
            "data": {"calibration": "calibration:digits"},
            "export": {"backends": ["onnx"], "schemes": ["static_wi8_ai8"]},
            "budget": {"max_drop": 5.0},
        }
    )
    run = compress(spec, tmp_path / "run")
    static = run.candidate("onnxruntime/static_wi8_ai8/dense")
    first, last = static.attempts[0], static.attempts[-1]
    assert first.drop_points is not None
    assert first.drop_points > 30
    assert last.rung == "adds, normalization, activations in float"
    assert last.drop_points is not None
    assert last.drop_points <= 5.0
    assert static.recipe is not None
    assert static.recipe.float_kinds == TRANSFORMER_FLOAT_KINDS
    assert "adds, normalization, activations in float" in (tmp_path / "run" / "report.md").read_text()
