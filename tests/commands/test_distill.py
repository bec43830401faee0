"""``edgevit distill``: what it writes, what it refuses before anything is trained, and where it goes on."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import load_file  # noqa: E402

from edgevit.commands import distill as command  # noqa: E402
from edgevit.commands.distill import distill_model  # noqa: E402
from edgevit.distillation import distill as distilling  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.report.plots.distillation import draw_distillation  # noqa: E402
from edgevit.results.distillation import DistillReport  # noqa: E402
from edgevit.results.document import from_json  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.run.stages import ChildRunner  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from tests.distillation.small import small_model  # noqa: E402
from tests.factories import KeptProgress  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def spec_of(**sections: Any) -> Spec:
    document: dict[str, Any] = {
        "model": {"name": "net0"},
        "data": {"train": "digits:calibration", "evaluation": "digits", "samples": 40},
        "distill": {"teacher": {"name": "net1"}, "epochs": 2, "learning_rate": 0.01},
    }
    return Spec.model_validate(
        {name: {**document.get(name, {}), **given} for name, given in {**{n: {} for n in document}, **sections}.items()}
    )


def stand_in(patched: pytest.MonkeyPatch) -> None:
    """Small networks in place of those that a name means, trained in this process."""
    patched.setattr(command, "open_model_of", lambda spec: small_model(0))
    patched.setattr(distilling, "open_student", lambda *_: small_model(0))
    patched.setattr(distilling, "load_model", lambda spec: small_model(1))
    patched.setattr("edgevit.pipeline.model_inputs.open_model", lambda spec, seed: small_model(1))
    patched.setattr(ChildRunner, "run", lambda self, name, task: task.function(task.argument))
    patched.setenv("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DistillReport]:
    out = tmp_path_factory.mktemp("distill") / "out"
    with pytest.MonkeyPatch.context() as patched:
        stand_in(patched)
        report = distill_model(spec_of(), out, Silent())
    assert report is not None
    return out, report


def test_it_writes_weights_a_document_a_log_and_a_picture(finished: tuple[Path, DistillReport]) -> None:
    pytest.importorskip("matplotlib")
    out, report = finished
    names = {path.name for path in out.iterdir()}
    assert names == {"weights.safetensors", "distill.json", "log.csv", "curve.png"}
    assert from_json(DistillReport, (out / "distill.json").read_bytes()) == report
    assert (report.student, report.teacher, report.weights) == ("net0", "net1", "weights.safetensors")
    assert (report.images.source, report.images.images, report.images.kept) == ("digits:calibration", 168, 32)
    assert report.images.labels
    assert report.evaluation is not None
    assert report.evaluation.images == 40
    assert report.evaluation.teacher is not None
    assert (
        [point.step for point in report.curve]
        == [0, 3, 6]
        == [int(row["step"]) for row in csv.DictReader((out / "log.csv").open())]
    )
    assert load_file(out / "weights.safetensors").keys() == small_model(0).module.state_dict().keys()


def test_what_is_finished_is_read_back_and_nothing_else_takes_its_place(finished: tuple[Path, DistillReport]) -> None:
    out, report = finished
    with pytest.raises(UsageError, match=r"holds a distill\.json already"):
        distill_model(spec_of(), out, Silent())
    assert distill_model(spec_of(), out, Silent(), resume=True) == report
    with pytest.raises(UsageError, match="is of another training"):
        distill_model(spec_of(distill={"epochs": 3}), out, Silent(), resume=True)


def test_one_that_was_stopped_is_resumed(
    finished: tuple[Path, DistillReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, steps = finished[1], list[int]()

    def report(done: int, total: int, note: str) -> None:
        steps.append(done)
        if steps == [1, 2, 3, 4]:
            raise KeyboardInterrupt

    monkeypatch.setattr("edgevit.distillation.training.report_progress", report)
    with pytest.raises(KeyboardInterrupt):
        distill_model(spec_of(), tmp_path / "out", Silent())
    with pytest.raises(UsageError, match="holds the checkpoint"):
        distill_model(spec_of(), tmp_path / "out", Silent())
    found = distill_model(spec_of(), tmp_path / "out", Silent(), resume=True)
    assert steps == [1, 2, 3, 4, 4, 5, 6]
    assert found is not None
    assert (found.weights_sha256, found.curve) == (whole.weights_sha256, whole.curve)


def test_tensorboard_and_the_size_of_the_cache(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    progress = KeptProgress()
    given = {"teacher_cache": str(tmp_path / "cache"), "augmentation": {"views": "none"}}
    distill_model(spec_of(distill=given), tmp_path / "out", progress, tensorboard=True)
    assert list((tmp_path / "out" / "tensorboard").iterdir())
    assert any("the teacher's predictions: up to" in line for line in progress.messages)
    assert list((tmp_path / "cache").glob("*/epoch-0001.bin"))


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"data": {"train": "digits"}}, "training images of digits are in"),
        ({"passes": {"tokens": "tome:8,evit:0.7"}}, "one token plan"),
        ({"passes": {"tokens": "auto"}}, "one token plan"),
        ({"quick": True}, "quick is for compress"),
        ({"distill": {"precision": "float16"}}, "float16 is for a CUDA GPU"),
        ({"distill": {"freeze": 1}}, "--freeze needs a model whose layers are known"),
        ({"distill": {"feature_weight": 1.0, "layer_decay": 0.5}}, "layer_decay needs a model whose layers are known"),
    ],
)
def test_what_does_not_fit_is_refused_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sections: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(ChildRunner, "run", lambda *_: pytest.fail("it trains"))
    base = spec_of()
    given = {
        name: value if isinstance(value, bool) else {**base.model_dump(mode="json")[name], **value}
        for name, value in sections.items()
    }
    spec = Spec.model_validate({**base.model_dump(mode="json", exclude_defaults=True), **given}, strict=False)
    with pytest.raises(UsageError, match=message):
        distill_model(spec, tmp_path / "out", Silent())
    assert not (tmp_path / "out" / "distill.json").exists()


def test_a_teacher_of_other_classes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevit.pipeline.model_inputs.open_model", lambda spec, seed: small_model(1, classes=7))
    with pytest.raises(UsageError, match="the teacher has 7 classes, the model 10"):
        assert distill_model(spec_of(), tmp_path / "out", Silent()) is None
    assert not (tmp_path / "out").exists()


def test_curves_with_and_without_labels_are_drawn(finished: tuple[Path, DistillReport], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = finished[1]
    unlabelled = replace(report, curve=tuple(replace(each, kept_top1=None) for each in report.curve), evaluation=None)
    draw_distillation(unlabelled, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_document_is_json_that_says_what_was_asked(finished: tuple[Path, DistillReport]) -> None:
    document = json.loads((finished[0] / "distill.json").read_text())
    assert document["schema_version"] == 1
    assert document["spec"]["distill"]["teacher"]["name"] == "net1"
    assert document["curve"][0]["loss"] is None


def test_of_several_processes_the_first_alone_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "launched", lambda: (1, 2))
    assert distill_model(spec_of(), tmp_path / "out", Silent()) is None
    assert not (tmp_path / "out").exists()
