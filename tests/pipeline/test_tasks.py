"""Tasks say what they read, and start cold where they time something."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgevit.artifacts.evaluate import InferenceJob
from edgevit.artifacts.make import ExportJob, QuantizeJob
from edgevit.artifacts.pytorch_reference import LatencyJob
from edgevit.backends import get_backend
from edgevit.data.images import Samples
from edgevit.data.prepared import PreparedImages
from edgevit.measure.bench import BenchJob
from edgevit.measure.paired import BenchWithParentJob
from edgevit.pipeline.tasks import (
    PYTORCH,
    artifact_files,
    bench_task,
    bench_with_parent_task,
    export_task,
    inference_task,
    pytorch_latency_task,
    quantize_task,
)
from edgevit.spec.recipe import Recipe
from tests.pipeline.contexts import CONTRACT


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """An OpenVINO artifact, which is two files."""
    for name in ("model.xml", "model.bin"):
        (tmp_path / "float" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "float" / name).write_bytes(name.encode())
    return tmp_path / "float" / "model.xml"


@pytest.fixture
def images(tmp_path: Path) -> PreparedImages:
    (tmp_path / "images.npy").write_bytes(b"pixels")
    return PreparedImages(Samples("noise:1", ("0",)), CONTRACT, tmp_path / "images.npy")


def test_all_files_of_an_artifact_are_read_but_not_the_script(artifact: Path) -> None:
    artifact.with_name("use.py").write_text("print()")
    assert artifact_files(artifact) == (artifact, artifact.with_suffix(".bin"))


def test_work_reads_pixels_and_weights_and_may_start_warm(artifact: Path, images: PreparedImages) -> None:
    weights, preload = artifact.with_suffix(".bin"), get_backend("openvino").preload
    pixels = images.pixels
    assert pixels is not None
    export = export_task(ExportJob("openvino", artifact, artifact.parent / "out", ("equalize",), images))
    assert export.inputs == (artifact, pixels)
    quantize = quantize_task(QuantizeJob("openvino", artifact, Recipe("fp16"), images, 0, artifact.parent / "out"))
    assert quantize.inputs == (artifact, weights, pixels)
    inference = inference_task(InferenceJob("openvino", artifact, images, 1, "f32", artifact.parent / "logits.npy"))
    assert inference.inputs == (artifact, weights, pixels)
    for task in (export, quantize, inference):
        assert (task.preload, task.timing) == (preload, False)


def test_what_is_timed_starts_cold_and_alone(artifact: Path) -> None:
    bench = BenchJob("openvino", artifact, 1, "f32", 50, 0.5)
    tasks = (
        bench_task(bench),
        bench_with_parent_task(BenchWithParentJob(bench, artifact, "f32")),
    )
    assert [(task.preload, task.timing) for task in tasks] == [((), True)] * 2
    assert all(artifact in task.inputs for task in tasks)


def test_the_original_is_timed_alone_but_need_not_start_cold(artifact: Path) -> None:
    task = pytorch_latency_task(LatencyJob(artifact, 1, 50, 0.5))
    assert (task.preload, task.timing, task.inputs) == (PYTORCH, True, (artifact,))
