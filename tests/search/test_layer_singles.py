"""Single layers in int8: the simulation with all of them is the whole, and what is screened is what matters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.data.images import open_images  # noqa: E402
from edgevit.data.prepared import PreparedImages, PrepareImagesJob, prepare_images  # noqa: E402
from edgevit.data.sampling import sample_images  # noqa: E402
from edgevit.model.program.capture import capture, save_program  # noqa: E402
from edgevit.model.program.layers import find_layers  # noqa: E402
from edgevit.pipeline.model_inputs import open_model  # noqa: E402
from edgevit.quantization.arithmetic import Int8Arithmetic  # noqa: E402
from edgevit.quantization.rewrites import find_rewrite  # noqa: E402
from edgevit.quantization.simulate import Int8Scheme, LayerNumerics  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.search import layer_singles as singles  # noqa: E402
from edgevit.search.additivity import check_additivity  # noqa: E402
from edgevit.search.divergence import DIVERGENCE_IMAGES  # noqa: E402
from edgevit.search.layer_singles import LayerSingles, LayerSinglesJob, measure_layers  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

# isort: split
from tests.models import SIDE, vit  # noqa: E402

REWRITES = ("class_token_only", "split_query_key_value")
IMAGES = PreparedImages(open_images("noise:24").samples, Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens to progress."""
    monkeypatch.setattr(singles, "report_progress", lambda done, total: None)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> LayerSinglesJob:
    """A transformer whose weights are rounded to 7 bits, as int8 of a processor without VNNI has them."""
    program = capture(vit(), (SIDE, SIDE))
    file: Path = tmp_path_factory.mktemp("model") / "model.pt2"
    save_program(program, file)
    graph = program.module()
    for name in REWRITES:
        find_rewrite(name)(graph, IMAGES.array())
    layers = tuple(LayerNumerics(*layer.size, "int8_static") for layer in find_layers(graph))
    scheme = Int8Scheme(Int8Arithmetic(), REWRITES, "min_max", reduce_range=True, layers=layers, int8_adds=False)
    return LayerSinglesJob(file, scheme, IMAGES, IMAGES, threads=1, seed=0, mixes=6)


@pytest.fixture(scope="module")
def found(job: LayerSinglesJob) -> LayerSingles:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(singles, "report_progress", lambda done, total: None)
        patch.setattr(singles, "MEASURED_SHARE", 1.0)
        return measure_layers(job)


def test_every_module_is_there_once_and_a_split_one_is_one(found: LayerSingles) -> None:
    names = [layer.module for layer in found.layers]
    assert names[:3] == ["patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.attn.proj"]
    assert len(names) == len(set(names))
    assert all(layer.divergence > 0 and layer.macs > 0 and layer.weights > 0 for layer in found.layers)


def test_the_score_of_one_backward_pass_orders_layers_as_measuring_does(found: LayerSingles) -> None:
    from scipy.stats import spearmanr

    scores, nats = ([getattr(layer, name) for layer in found.layers] for name in ("fisher", "divergence"))
    assert spearmanr(scores, nats).statistic > 0.7


def test_mixes_cost_about_the_sum(found: LayerSingles) -> None:
    sums, mixed = np.array(found.sums), np.array(found.mixed)
    assert len(sums) == 6
    assert np.corrcoef(np.log(sums), np.log(mixed))[0, 1] > 0.8
    assert not check_additivity(sums, mixed).holds  # six are too few to tell


def test_what_is_not_measured_is_scaled_to_what_is(job: LayerSinglesJob) -> None:
    found = measure_layers(replace(job, mixes=0))
    measured = [layer for layer in found.layers if layer.measured]
    assert len(measured) == int(np.ceil(len(found.layers) / 3))
    least = min(layer.fisher for layer in measured)
    assert all(layer.fisher <= least for layer in found.layers if not layer.measured)


def test_layers_in_float_are_no_choice(job: LayerSinglesJob) -> None:
    layers = tuple(replace(layer, numerics="float") for layer in job.scheme.layers)
    assert measure_layers(replace(job, scheme=replace(job.scheme, layers=layers))) == LayerSingles((), (), ())


@pytest.mark.slow
def test_layers_of_vit_tiny_add_up(shared_data: Path, tmp_path: Path) -> None:
    """The figures that a search relies on: rank correlation and median factor of 24 mixes on real images."""
    model = open_model(
        ModelSpec(name="vit_tiny_patch16_224", weights=shared_data / "weights" / "vit_tiny_patch16_224.safetensors"),
        0,
    )
    images = sample_images(open_images(str(shared_data / "imagenet_samples")), DIVERGENCE_IMAGES, 0, "calibration")
    prepared = prepare_images(PrepareImagesJob(images.samples, model.preprocessing, tmp_path / "images.npy"))
    program = capture(model.module, model.preprocessing.input_size)
    save_program(program, tmp_path / "model.pt2")
    graph = program.module()
    layers = tuple(LayerNumerics(*layer.size, "int8_static") for layer in find_layers(graph))
    scheme = Int8Scheme(Int8Arithmetic(), (), "min_max", reduce_range=False, layers=layers, int8_adds=False)
    job = LayerSinglesJob(tmp_path / "model.pt2", scheme, prepared, prepared, threads=2, seed=0)
    found = measure_layers(job)
    record = check_additivity(np.array(found.sums), np.array(found.mixed))
    assert record.holds, record
