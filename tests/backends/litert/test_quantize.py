"""A small TFLite model quantized in each way: which layers multiply in int8, and which stay float."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ai_edge_quantizer")
pytest.importorskip("litert_torch")

from torch import nn  # noqa: E402

from edgevit.backends.litert.export import export  # noqa: E402
from edgevit.backends.litert.graph import read_graph  # noqa: E402
from edgevit.backends.litert.quantize import quantize  # noqa: E402
from edgevit.backends.litert.session import RuntimeSession  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402

CONV, HIDDEN, HEAD = 8 * 8 * 16 * 12, 16 * 32, 32 * 10
"""MACs of the three layers."""
HYBRID_HEAD = {"int8_dynamic": HEAD}
"""The last layer of a static scheme keeps the logits in float."""


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 2, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    return export(capture(network.eval(), (16, 16)), tmp_path_factory.mktemp("float"))


def images(count: int = 4) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, 16, 16), dtype=np.float32)


def numerics(path: Path) -> dict[str, int]:
    """MACs by how they are done."""
    found: dict[str, int] = {}
    for op in read_graph(path).layers:
        found[op.numerics] = found.get(op.numerics, 0) + op.macs
    return found


SCHEMES = {
    "fp16": {"float": CONV + HIDDEN + HEAD},
    "dynamic_wi8_afp32": {"int8_dynamic": CONV + HIDDEN + HEAD},
    "static_wi8_ai8": {"int8_static": CONV + HIDDEN, **HYBRID_HEAD},
    "static_wi8_ai16": {"int16_static": CONV + HIDDEN, **HYBRID_HEAD},
    "weight_only_wi8_afp32": {"int8_weights": CONV + HIDDEN + HEAD},
    "weight_only_wi4_afp32": {"int8_weights": CONV + HIDDEN + HEAD},
}


@pytest.mark.parametrize(("scheme", "expected"), SCHEMES.items())
def test_every_layer_multiplies_as_the_scheme_says(
    scheme: str, expected: dict[str, int], parent: Path, tmp_path: Path
) -> None:
    path = quantize(parent, Recipe(scheme), images(), tmp_path)
    assert numerics(path) == expected
    before, after = (RuntimeSession(file, 1, "f32").run((images(1),))[0] for file in (parent, path))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("scheme", ["dynamic_wi8_afp32", "static_wi8_ai8", "weight_only_wi8_afp32"])
def test_a_named_layer_stays_float(scheme: str, parent: Path, tmp_path: Path) -> None:
    hidden = next(op.name for op in read_graph(parent).layers if op.macs == HIDDEN)
    path = quantize(parent, Recipe(scheme, float_layers=(hidden,)), images(), tmp_path)
    assert numerics(path)["float"] == HIDDEN


@pytest.mark.parametrize("recipe", [Recipe("static_wi8_ai8"), Recipe("weight_only_wi4_afp32", rounding="gptq")])
def test_calibration_images_are_required(recipe: Recipe, parent: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{recipe.scheme} needs calibration images"):
        quantize(parent, recipe, None, tmp_path)
    assert list(tmp_path.iterdir()) == []
