"""Layers of an artifact by the names of modules, whatever a rewrite made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("onnx")

from edgevit.artifacts.float_layers import FloatLayersJob, find_float_layers  # noqa: E402
from edgevit.backends import get_backend  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.model.program.capture import capture, save_program  # noqa: E402
from edgevit.quantization.prepare import prepare_program  # noqa: E402
from tests.models import SIDE, vit  # noqa: E402


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FloatLayersJob:
    """An artifact whose query, key and value are layers of their own."""
    folder: Path = tmp_path_factory.mktemp("artifact")
    program = capture(vit().eval(), (SIDE, SIDE))
    save_program(program, folder / "model.pt2")
    prepared, _ = prepare_program(program, ("class_token_only", "split_query_key_value"), None)
    (folder / "onnx").mkdir()
    artifact = get_backend("onnxruntime").export(prepared, folder / "onnx")
    return FloatLayersJob("onnxruntime", artifact, folder / "model.pt2", ("blocks.0.attn.qkv", "head"))


def test_a_module_that_was_split_has_all_its_layers(job: FloatLayersJob) -> None:
    graph = get_backend(job.backend).read_graph(job.artifact)
    found = find_float_layers(job).layers
    assert len(found) == 4
    assert found[-1] == graph.layers[-1].name
    assert found[:3] == tuple(op.name for op in graph.layers[1:4])


def test_a_module_means_everything_in_it(job: FloatLayersJob) -> None:
    whole = FloatLayersJob(job.backend, job.artifact, job.program, ("blocks.0",))
    assert len(find_float_layers(whole).layers) == 6


def test_a_module_without_layers_is_refused(job: FloatLayersJob) -> None:
    with pytest.raises(CandidateFailed, match="no layer of the artifact belongs to blocks.9"):
        find_float_layers(FloatLayersJob(job.backend, job.artifact, job.program, ("blocks.9",)))


def test_an_artifact_of_another_model_is_refused(job: FloatLayersJob, tmp_path: Path) -> None:
    save_program(capture(vit(embed_dim=24).eval(), (SIDE, SIDE)), tmp_path / "other.pt2")
    with pytest.raises(CandidateFailed, match="cannot be matched"):
        find_float_layers(FloatLayersJob(job.backend, job.artifact, tmp_path / "other.pt2", ("head",)))
