"""The flow of ``edgevit sensitivity``, with its child processes played by this test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from pydantic import TypeAdapter

from edgevit.artifacts.layer_sensitivity import Sensitivity, SensitivityJob
from edgevit.artifacts.make import ExportJob, MadeArtifact
from edgevit.commands import sensitivity as command
from edgevit.commands.sensitivity import analyse
from edgevit.errors import UsageError
from edgevit.quantization.prepare import Prepared, PrepareJob
from edgevit.results.document import to_json
from edgevit.results.sensitivity import SensitivityReport
from edgevit.run import stages
from edgevit.run.progress import Silent
from edgevit.run.task import Task
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Spec
from tests.factories import make_layer

LAYERS = (make_layer(1, 20.0, 0.9), make_layer(0, None))


def spec(name: str = "digits_cnn", **changes: Any) -> Spec:
    document: dict[str, Any] = {"model": {"name": name}, "data": {"calibration": "calibration:digits"}}
    return resolve_spec(None, None, document | changes)


@dataclass
class Children:
    """Answers what child processes are asked."""

    jobs: list[Any] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    layers: tuple[Any, ...] = LAYERS

    def __call__(self, task: Task[Any, Any], *, timeout_seconds: float, **_: object) -> object:
        job = task.argument
        self.jobs.append(job)
        self.limits.append(timeout_seconds)
        if isinstance(job, ExportJob):
            assert job.program.is_file()
            return MadeArtifact(job.folder / "model", (), (), (), 0, 0, 0.0, "float", 0, 0)
        if isinstance(job, PrepareJob):
            shutil.copyfile(job.program, job.target)
            return Prepared(job.target, "")
        return Sensitivity(self.layers, len(job.calibration))

    @property
    def ranking(self) -> SensitivityJob:
        return next(job for job in self.jobs if isinstance(job, SensitivityJob))


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    made = Children()
    monkeypatch.setattr(stages, "run_in_child", made)
    return made


class Listener(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.stages: list[tuple[str, int, int]] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        self.stages.append((name, done, total))


def test_the_document_is_what_was_found(children: Children, tmp_path: Path) -> None:
    report = analyse(spec(export={"backends": ["tflite"]}), tmp_path / "out", Silent())
    content = (tmp_path / "out" / "sensitivity.json").read_bytes()
    assert content == to_json(report)
    assert TypeAdapter(SensitivityReport).validate_json(content) == report
    document = json.loads(content)
    assert document["schema_version"] == 1
    assert (document["model"], document["backend"], document["scheme"]) == ("digits_cnn", "litert", "static_wi8_ai8")
    assert document["layers"] == [
        {"name": "op_1", "kind": "linear", "macs": 1_000_000, "snr_db": 20.0, "agreement": 0.9, "position": 1,
         "module": "blocks.1.fc"},
        {"name": "op_0", "kind": "linear", "macs": 1_000_000, "snr_db": None, "agreement": 1.0, "position": 0,
         "module": "blocks.0.fc"},
    ]  # fmt: skip
    assert len(document["images"]["ids"]) == 32
    assert document["images"]["source"] == "calibration:digits"
    assert document["host"]["threads"] == 1


def test_what_is_asked_of_the_children(children: Children, tmp_path: Path) -> None:
    settings = {"measure": {"threads": 2, "timeout_seconds": 10.0}, "seed": 7, "export": {"backends": ["onnx"]}}
    report = analyse(spec(**settings), tmp_path, Silent())
    job = children.ranking
    assert [layer.module for layer in job.modules] == [*(f"features.{n}" for n in (0, 3, 7, 10, 14, 17)), "head"]
    assert (job.backend, job.threads, job.seed) == ("onnxruntime", 2, 7)
    assert job.calibration.samples.ids == report.images.ids
    assert job.recipe == report.recipe
    assert not job.recipe.float_kinds and not job.recipe.float_layers
    assert children.limits[-1] == 70.0  # 10 s for each of 7 layers


@pytest.mark.parametrize("scheme", ["dynamic_wi8_afp32", "static_wi8_ai8"])
def test_the_export_is_the_one_that_the_recipe_names(scheme: str, children: Children, tmp_path: Path) -> None:
    report = analyse(spec("digits_vit", export={"backends": ["onnx"], "schemes": [scheme]}), tmp_path, Silent())
    (export,) = [job for job in children.jobs if isinstance(job, ExportJob)]
    assert ("fused_ops" in export.preparations) == ("fused_ops" in report.recipe.preparations)
    assert export.preparations == (("fused_ops",) if scheme == "dynamic_wi8_afp32" else ())


@pytest.mark.parametrize(
    ("model", "backend", "schemes", "expected"),
    [
        ("digits_cnn", "tflite", ["auto"], "static_wi8_ai8"),
        ("digits_vit", "tflite", ["auto"], "dynamic_wi8_afp32"),
        ("digits_vit", "openvino", ["auto"], "static_wi8_ai8"),
        ("digits_cnn", "tflite", ["fp32", "weight_only_wi8_afp32", "static_wi8_ai8"], "weight_only_wi8_afp32"),
    ],
)
def test_the_first_scheme_that_is_not_float(
    model: str, backend: str, schemes: list[str], expected: str, children: Children, tmp_path: Path
) -> None:
    export = {"backends": [backend], "schemes": schemes}
    assert analyse(spec(model, export=export), tmp_path, Silent()).scheme == expected
    recipe = children.ranking.recipe
    assert recipe.scheme == expected
    prepared = [job.steps for job in children.jobs if isinstance(job, PrepareJob)]
    assert prepared == ([recipe.preparations] if recipe.preparations else [])


def test_tokens_are_reduced_before_the_layers_are_quantized(children: Children, tmp_path: Path) -> None:
    export = {"backends": ["tflite"], "schemes": ["weight_only_wi8_afp32"]}
    analyse(spec("digits_vit", passes={"tokens": "evit:0.5@2"}, export=export), tmp_path, Silent())
    macs = {layer.module.rpartition("blocks.")[2]: layer.macs for layer in children.ranking.modules}
    assert macs["1.mlp.fc1"] < macs["0.mlp.fc1"]
    assert len(children.ranking.modules) == 26


def test_without_matplotlib_there_is_no_picture_and_a_message_says_why(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    find_spec = command.importlib.util.find_spec
    monkeypatch.setattr(
        command.importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name)
    )
    analyse(spec(), tmp_path, listener)
    assert [path.name for path in tmp_path.iterdir()] == ["sensitivity.json"]
    assert any("matplotlib is not installed" in message for message in listener.messages)


def test_the_picture_is_drawn_and_progress_is_told(children: Children, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    listener = Listener()
    analyse(spec(), tmp_path, listener)
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")
    told = dict.fromkeys(name for name, _, _ in listener.stages)
    assert [name.split()[0] for name in told] == ["check", "capture", "export", "quantize"]
    for name in told:
        assert (name, 1, 1) in listener.stages or name.startswith("check")


def test_what_may_mislead_is_noted(children: Children, tmp_path: Path) -> None:
    children.layers = (make_layer(0, module=""),)
    listener = Listener()
    document = {"model": {"name": "digits_cnn", "random_weights": True}, "data": {"calibration": "noise:8"}}
    report = analyse(resolve_spec(None, None, document), tmp_path, listener)
    assert [note.split(":")[0] for note in report.notes] == [
        "random weights", "the layers of the artifact could not be matched with modules of the model",
    ]  # fmt: skip
    assert any("only 8 calibration images" in warning for warning in report.images.warnings)
    assert [f"warning: {warning}" for warning in report.images.warnings] == listener.messages


def test_a_part_of_the_evaluation_images_will_do(children: Children, tmp_path: Path) -> None:
    report = analyse(spec(data={"evaluation": "digits", "calibration": "20%"}), tmp_path, Silent())
    assert report.images.source == "digits"
    assert len(report.images.ids) == 32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": {}}, "layers are compared on calibration images, and there are none"),
        ({"data": {"evaluation": "digits"}}, "layers are compared on calibration images"),
        ({"data": {"calibration": "nowhere"}}, "no such image source: nowhere"),
        ({"export": {"backends": []}}, "no backend is asked for"),
        ({"export": {"backends": ["tfl"]}}, "unknown backend: 'tfl'"),
        ({"export": {"backends": ["openvino"], "schemes": ["dynamic_wi8_afp32"]}}, "OpenVINO has no scheme"),
        ({"export": {"backends": ["openvino"], "schemes": ["fp16"]}}, "fp16: no layer is quantized to integers"),
        ({"export": {"backends": ["openvino"], "schemes": ["fp32", "bf16"]}}, "fp32, bf16: no layer is quantized"),
        ({"devices": ["nowhere"]}, "unknown device: 'nowhere'"),
        ({"passes": {"tokens": "evit:0.5@2"}}, "token reduction needs an encoder of softmax-attention blocks"),
        (
            {
                "distill": {"teacher": {"name": "digits_cnn"}},
                "data": {"calibration": "calibration:digits", "train": "digits:train"},
            },
            "yet to be distilled",
        ),
        ({"model": {"name": "resnet18"}}, "where do the weights of resnet18 come from?"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    changes: dict[str, Any], message: str, children: Children, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        analyse(spec(**changes), tmp_path / "out", Silent())
    assert not children.jobs
    assert not (tmp_path / "out").exists()


def test_a_result_is_not_overwritten(children: Children, tmp_path: Path) -> None:
    (tmp_path / "sensitivity.json").write_text("{}")
    with pytest.raises(UsageError, match="holds a sensitivity.json already"):
        analyse(spec(), tmp_path, Silent())
    assert (tmp_path / "sensitivity.json").read_text() == "{}"
