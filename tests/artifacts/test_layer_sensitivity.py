"""Sensitivity: one layer is quantized at a time, and what it loses is what one can work out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts import layer_sensitivity as engine
from edgevit.artifacts.layer_sensitivity import IMAGES, Sensitivity, SensitivityJob, choose_images, layer_sensitivity
from edgevit.backends import Backend, all_backends, get_backend
from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CheckFailed
from edgevit.model.program.module_names import module_layers
from edgevit.results.artifact import Preprocessing, TensorSpec
from edgevit.results.graph import Graph, Op, Tensor
from edgevit.results.sensitivity import LayerSensitivity
from edgevit.spec.recipe import OpKind, Recipe

CONTRACT = Preprocessing((8, 8), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
SIGNAL = np.array([3, 4, 0, 0], np.float32)


class StubSession:
    """Gives the same logits for every image, plus the error of the layer that was quantized."""

    inputs = (TensorSpec("input", (1, 3, 8, 8), "float32", "NCHW"),)
    outputs = (TensorSpec("logits", (1, 4), "float32", "NC"),)

    def __init__(self, error: np.ndarray) -> None:
        self._error = error

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        return ((SIGNAL + self._error)[None],)


class StubBackend:
    """A runtime with layers whose errors are known."""

    name = "stub"
    schemes: dict[str, tuple[OpKind, ...]] = {  # noqa: RUF012
        "static_wi8_ai8": ("linear", "conv"),
        "dynamic_wi8_afp32": ("linear",),
    }

    def __init__(self, errors: dict[str, float], kinds: dict[str, OpKind]) -> None:
        self.errors, self.kinds = errors, kinds
        self.recipes: list[Recipe] = []
        self.calibrations: list[np.ndarray | None] = []

    def read_graph(self, path: Path) -> Graph:
        ops = [Op(name, "X", self.kinds.get(name, "linear"), ("w",), (), 10) for name in self.errors]
        ops += [Op("attention", "X", "matmul", (), (), 10), Op("gelu", "X", "activation", (), (), 0)]
        image = Tensor("image", (1, 3, 4, 4), "float32", 192, constant=False)
        return Graph("stub", tuple(ops), (Tensor("w", (5,), "float32", 20, constant=True), image), ("image",), ())

    def quantize(self, parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
        self.recipes.append(recipe)
        self.calibrations.append(calibration)
        (quantized,) = set(self.errors) - set(recipe.float_layers)
        (folder / "model").write_text(quantized)
        return folder / "model"

    def open_session(self, path: Path, threads: int, precision: str) -> StubSession:
        assert precision == "f32"
        error = self.errors[path.read_text()] if path.is_file() else 0.0
        return StubSession(np.array([error, 0, 0, 0], np.float32))


def job(backend: str, parent: Path, scheme: str, **more: object) -> SensitivityJob:
    images = PreparedImages(open_images("noise:40").samples, CONTRACT)
    return SensitivityJob(backend, parent, Recipe(scheme), images, 1, 0, **more)  # type: ignore[arg-type]


Ask = Callable[..., tuple[Sensitivity, StubBackend]]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Asks for the sensitivity of a stub with these errors."""

    def run(scheme: str = "static_wi8_ai8", kinds: dict[str, OpKind] | None = None, **errors: float):  # type: ignore[no-untyped-def]
        backend = StubBackend(errors, kinds or {})
        monkeypatch.setattr(engine, "get_backend", lambda name: backend)
        return layer_sensitivity(job("stub", tmp_path / "float", scheme)), backend

    return run


def test_the_ratio_and_the_agreement_are_those_of_the_logits(ask: Ask) -> None:
    """Signal power 25 over noise power 0.25 is 20 dB; an error of 2 lets another class win."""
    found, _ = ask(a=0.5, b=2.0)
    worst, other = found.layers
    assert (worst.name, worst.agreement, other.name, other.agreement) == ("b", 0.0, "a", 1.0)
    assert other.snr_db == pytest.approx(20)
    assert worst.snr_db == pytest.approx(10 * math.log10(25 / 4))
    assert found.images == IMAGES


def test_worst_first_and_equal_ones_as_in_the_graph(ask: Ask) -> None:
    found, _ = ask(a=0.1, b=0.0, c=0.3, d=0.1, e=0.0)
    assert [layer.name for layer in found.layers] == ["c", "a", "d", "b", "e"]
    assert [layer.position for layer in found.layers] == [2, 0, 3, 1, 4]


def test_no_difference_is_no_ratio(ask: Ask) -> None:
    found, _ = ask(a=0.0)
    assert (found.layers[0].snr_db, found.layers[0].agreement) == (None, 1.0)


def test_kinds_that_the_scheme_leaves_alone_are_not_quantized(ask: Ask) -> None:
    found, backend = ask("dynamic_wi8_afp32", {"a": "conv"}, a=2.0, b=0.1)
    assert found.layers[-1] == LayerSensitivity("a", "conv", 10, None, 1.0, 0)
    assert len(backend.recipes) == 1


def test_all_but_one_layer_stay_float(ask: Ask) -> None:
    _, backend = ask(a=0.1, b=0.2, c=0.3)
    assert [recipe.float_layers for recipe in backend.recipes] == [
        ("b", "c", "attention"),
        ("a", "c", "attention"),
        ("a", "b", "attention"),
    ]
    assert all("activation" in recipe.float_kinds and "matmul" in recipe.float_kinds for recipe in backend.recipes)


def test_only_static_schemes_are_calibrated(ask: Ask) -> None:
    _, static = ask(a=0.1)
    _, dynamic = ask("dynamic_wi8_afp32", a=0.1)
    assert static.calibrations[0] is not None and static.calibrations[0].shape == (IMAGES, 3, 8, 8)
    assert dynamic.calibrations == [None]


def test_a_layer_that_breaks_the_model_is_named(ask: Ask) -> None:
    with pytest.raises(CheckFailed, match="with b quantized, logits hold NaN"):
        ask(a=0.1, b=math.nan)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 60, 64, 100])
def test_images_are_evenly_spaced_and_chosen_once(count: int) -> None:
    images = open_images(f"noise:{count}")
    chosen = choose_images(images)
    places = [images.ids.index(image_id) for image_id in chosen.ids]
    assert len(places) == min(count, IMAGES)
    steps = np.diff([*places, count])
    assert places[0] == 0 and steps.max() - steps.min() <= 1
    assert choose_images(chosen).ids == chosen.ids


# From here on with real runtimes.


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    return tmp_path_factory.mktemp("artifacts")


def ranked(module: object, backend: str, scheme: str, folder: Path) -> dict[str, LayerSensitivity]:
    """Layers by module, worst first."""
    from edgevit.model.program.capture import capture

    program = capture(module.eval(), CONTRACT.input_size)  # type: ignore[attr-defined]
    folder.mkdir()
    parent = get_backend(backend).export(program, folder)
    found = layer_sensitivity(job(backend, parent, scheme, modules=module_layers(program)))
    assert found.images == IMAGES
    return {layer.module: layer for layer in found.layers}


def perceptron() -> object:
    """Three linear layers; the weights of the second are whole numbers of steps, 127 in every row."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 5))
    with torch.no_grad():
        module[3].weight.copy_(torch.randint(-127, 128, (32, 32)) / 512)
        module[3].weight[:, 0] = 127 / 512
    return module


def test_weights_on_the_grid_lose_nothing(workspace: Path) -> None:
    """Of LiteRT, which computes with the expanded weights; OpenVINO quantizes activations for them too."""
    pytest.importorskip("ai_edge_quantizer")
    layers = ranked(perceptron(), "litert", "weight_only_wi8_afp32", workspace / "grid")
    assert set(layers) == {"1", "3", "5"}
    on_grid = layers["3"].snr_db
    assert on_grid is None or on_grid > 120
    for module in ("1", "5"):
        snr_db = layers[module].snr_db
        assert snr_db is not None and 20 < snr_db < 90
    assert list(layers)[-1] == "3"


def test_a_head_whose_weights_all_round_to_zero(workspace: Path) -> None:
    """One weight per row is huge but reads a channel that is never on; int8 then has no step for the others.

    What is left of the logits is the bias: all noise, 0 dB, and one class for every image.
    """
    pytest.importorskip("ai_edge_quantizer")
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 5)).eval()
    with torch.no_grad():
        module[1].bias[0] = -1e3
        module[3].weight[:, 0] = 1e4
        module[3].bias.zero_()
    layers = ranked(module, "litert", "weight_only_wi8_afp32", workspace / "outlier")
    assert list(layers) == ["3", "1"]
    images = PreparedImages(choose_images(open_images("noise:40")).samples, CONTRACT).array()
    with torch.inference_mode():
        classes = module(torch.from_numpy(images)).argmax(1)
    assert layers["3"].snr_db == pytest.approx(0, abs=1e-3)
    assert layers["3"].agreement == pytest.approx(float((classes == 0).float().mean()))
    assert layers["3"].agreement < 1
    assert layers["1"].snr_db > 30


def test_a_convolution_stays_float_in_a_scheme_for_linear_layers(workspace: Path) -> None:
    pytest.importorskip("onnxruntime")
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    layers = ranked(module, "onnxruntime", "dynamic_wi8_afp32", workspace / "left-alone")
    assert (layers["0"].kind, layers["0"].snr_db, layers["0"].agreement) == ("conv", None, 1.0)
    assert layers["3"].snr_db is not None
    assert list(layers) == ["3", "0"]


def block() -> object:
    """A transformer block on four tokens between patches and head."""
    import torch
    from torch import nn

    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    from timm.models.vision_transformer import Block

    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 32, 4, stride=4), nn.Flatten(2), nn.AdaptiveAvgPool1d(32), Block(32, 2),
                         nn.Flatten(), nn.Linear(1024, 5))  # fmt: skip


@pytest.mark.parametrize("name", [backend.name for backend in all_backends()])
def test_nothing_else_is_quantized(name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither attention, which NNCF quantizes unless it is told not to, nor adds and norms."""
    pytest.importorskip({"litert": "ai_edge_quantizer", "openvino": "nncf", "onnxruntime": "onnxruntime"}[name])
    made: list[Graph] = []

    class Watched:
        """The backend, with an eye on what it makes."""

        def __init__(self, backend: Backend) -> None:
            self._backend = backend

        def __getattr__(self, attribute: str) -> object:
            return getattr(self._backend, attribute)

        def quantize(self, *arguments: object) -> Path:
            path = self._backend.quantize(*arguments)  # type: ignore[arg-type]
            made.append(self._backend.read_graph(path))
            return path

    monkeypatch.setattr(engine, "get_backend", lambda known: Watched(get_backend(known)))
    layers = ranked(block(), name, "static_wi8_ai8", workspace / f"block-{name}")
    assert set(layers) == {"0", "3.attn.qkv", "3.attn.proj", "3.mlp.fc1", "3.mlp.fc2", "5"}
    assert len(made) == 6
    for graph in made:
        multiplied = [op for op in graph.ops if op.macs and op.numerics != "float"]
        assert len(multiplied) == 1
        assert sum(op.native in ("FakeQuantize", "QuantizeLinear", "QUANTIZE") for op in graph.ops) <= 2
    assert all(layer.snr_db is not None and 10 < layer.snr_db < 80 for layer in layers.values())
