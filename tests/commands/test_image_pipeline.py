"""Timing from the encoded image to the logits."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.commands.image_pipeline import (
    GENERATED,
    PipelineJob,
    PipelineLatency,
    generated_jpeg,
    time_file_pipeline,
    time_pipeline,
)
from edgevit.data.images import Samples
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, Tiles
from edgevit.results.image_pipeline import pipeline_times
from edgevit.run import stages
from edgevit.run.progress import Silent
from edgevit.run.task import Task
from edgevit.spec.spec import MeasureSpec, PreprocessingOverrides

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

NEUTRAL = Preprocessing((1, 1), (0.5,), (0.5,))


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A file that takes one image of 8 x 6 pixels and gives three logits."""
    helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["y"])],
        "small",
        [helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 6])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def job(classifier: Path, images: Samples | None) -> PipelineJob:
    return PipelineJob("onnxruntime", classifier, images, NEUTRAL, 1, "f32", 5, 0.0)


def test_the_whole_is_decoding_preprocessing_and_inference(classifier: Path) -> None:
    found = time_pipeline(job(classifier, None))
    assert (found.times.runs, found.images) == (5, GENERATED)
    parts = [step.p50_ms for step in found.times.steps]
    assert min(parts) > 0
    assert found.times.p50_ms > max(parts)


def test_images_of_a_source_are_taken_in_turn(classifier: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "images.npz", images=np.zeros((2, 9, 9), np.uint8), labels=np.arange(2))
    source = str(tmp_path / "images.npz")
    assert time_pipeline(job(classifier, Samples(source, ("0", "1")))).images == source


def test_the_generated_image_is_a_photograph_in_size() -> None:
    encoded = generated_jpeg()
    image = Image.open(io.BytesIO(encoded))
    assert (image.format, image.size) == ("JPEG", (500, 375))
    assert 20_000 < len(encoded) < 200_000
    assert encoded == generated_jpeg()


def test_the_child_is_asked_for_what_the_user_asked(classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[PipelineJob] = []
    answer = PipelineLatency(pipeline_times([(0.5, 0.2, 0.3)]), "generated", 2, "", "")

    def run(task: Task[PipelineJob, PipelineLatency], **_: object) -> PipelineLatency:
        assert task.timing
        asked.append(task.argument)
        return answer

    monkeypatch.setattr(stages, "run_in_child", run)
    settings = MeasureSpec(threads=2, min_seconds=1.0)
    assert time_file_pipeline(classifier, "f32", settings, GENERATED, PreprocessingOverrides(), Silent()) == answer
    assert asked == [PipelineJob("onnxruntime", classifier.resolve(), None, NEUTRAL, 2, "f32", 50, 1.0)]


def test_what_takes_no_images_is_refused(tmp_path: Path) -> None:
    probe = Path(__file__).parents[2] / "edgevit" / "commands" / "probes" / "probe.onnx"
    with pytest.raises(UsageError, match="not a model of single images"):
        time_pipeline(job(probe, None))


def test_an_image_in_tiles_is_timed_as_a_whole(classifier: Path) -> None:
    tiled = replace(job(classifier, None), preprocessing=replace(NEUTRAL, tiles=Tiles((250, 200), 0.0, "mean")))
    assert time_pipeline(job(classifier, None)).inferences_per_image == 1
    assert time_pipeline(tiled).inferences_per_image == 6  # of 375 x 500 pixels
