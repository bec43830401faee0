"""What a spec names is resolved once."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.pipeline import inputs, model_inputs  # noqa: E402
from edgevit.pipeline.inputs import open_inputs  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.token_plan import FORMS, parse_plans  # noqa: E402
from edgevit.spec.toml_files import find  # noqa: E402
from tests.pipeline.contexts import DIGITS, digits_spec, make_inputs, noise  # noqa: E402


def test_every_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load, load_device, open_student = model_inputs.load_model, inputs.load_device, model_inputs.open_student
    monkeypatch.setattr(model_inputs, "load_model", lambda given, seed: loaded.append(given.name) or load(given, seed))
    monkeypatch.setattr(
        model_inputs, "open_student", lambda given, *rest: loaded.append(given.name) or open_student(given, *rest)
    )
    monkeypatch.setattr(inputs, "load_device", lambda name: loaded.append(name) or load_device(name))
    opened = open_inputs(
        digits_spec(
            data={**DIGITS, "train": "digits:train"},
            devices=["raspberry-pi-5", "galaxy-s24-npu"],
            distill={"teacher": {"name": "digits_cnn"}},
            passes={"tokens": "evit:0.7,resolution:24"},
            export={"backends": ["tflite", "onnx", "litert"]},
        ),
        Silent(),
    )
    assert sorted(loaded) == ["digits_cnn", "digits_vit", "galaxy-s24-npu", "raspberry-pi-5"]
    assert [backend.name for backend in opened.backends] == ["litert", "onnxruntime"]
    assert [device.name for device in opened.devices] == ["raspberry-pi-5", "galaxy-s24-npu"]
    assert opened.teacher is not None and opened.teacher.name == "digits_cnn"
    assert opened.training_images is not None
    assert (len(opened.training_images.train), len(opened.training_images.kept)) == (988, 109)
    assert (opened.plans, opened.forms) == (parse_plans("evit:0.7,resolution:24"), FORMS)
    assert len(opened.images.ids) == 20 and opened.labels is not None and opened.has_real_images
    assert opened.calibration is not None and opened.calibration_record is not None
    assert opened.calibration_record.ids == opened.calibration.ids
    target = opened.target(transformer=True)
    assert (target.architecture, target.npu, target.isa) == ("transformer", True, opened.host.isa)


def test_a_device_in_a_file_has_the_name_that_it_states() -> None:
    path = str(find("devices", "galaxy-s24-npu"))
    opened = open_inputs(digits_spec(devices=[path]), Silent())
    assert [device.name for device in opened.devices] == ["galaxy-s24-npu"]


def test_without_data_images_are_synthetic() -> None:
    opened = open_inputs(digits_spec(), Silent())
    assert opened.images.source == "noise:16"
    assert (opened.labels, opened.has_real_images, opened.calibration, opened.calibration_record) == (
        None,
        False,
        None,
        None,
    )
    assert (opened.teacher, opened.training_images, opened.plans, opened.forms) == (None, None, (), FORMS)
    assert opened.notes == (
        "no evaluation images: accuracy is not reported", "no calibration images: static schemes were not possible",
    )  # fmt: skip


def test_calibration_images_are_judged_by_where_there_are_no_others() -> None:
    given = make_inputs(digits_spec(), data=RunData(None, noise(3)))
    assert given.images == given.calibration
    assert (given.labels, given.has_real_images) == (None, True)
    assert given.notes[-1] == "candidates are judged by agreement with the float model on the calibration images"
    unlabelled = make_inputs(digits_spec(), data=RunData(noise(3), noise(2)))
    assert unlabelled.notes == ("no labels: candidates are judged by agreement with the float model",)


def test_schemes_are_those_asked_for_or_of_the_policy() -> None:
    policy = ("dynamic_wi8_afp32", "static_wi8_ai8", "fp32")
    assert make_inputs(digits_spec()).schemes(policy) == policy[:2]
    integers = make_inputs(digits_spec(quantize={"integer_io": "int8"}, export={"backends": ["tflite"]}))
    assert integers.schemes(policy) == ("static_wi8_ai8",)
    named = make_inputs(digits_spec(export={"schemes": ["fp32", "fp16"], "backends": ["tflite"]}))
    assert named.schemes(policy) == ("fp16",)


def test_a_quick_run_has_a_fifth_of_the_images_and_nothing_but_the_dense_model() -> None:
    asked = {"data": {**DIGITS, "samples": 200, "train": "digits:train"}, "quick": True}
    sections = {"passes": {"tokens": "evit:0.5@2"}, "distill": {"teacher": {"name": "digits_cnn"}}}
    quick = open_inputs(digits_spec(**asked, **sections), Silent())
    assert len(quick.images.ids) == 40
    assert quick.labels is not None
    assert len(quick.labels) == 40
    assert quick.calibration is not None
    assert len(quick.calibration.ids) == 32
    assert (quick.plans, quick.teacher, quick.training_images) == ((), None, None)
    assert any(note.startswith("quick: ") for note in quick.notes)


@pytest.mark.parametrize(
    ("isa", "schemes"), [(("avx2",), ("static_wi8_ai8",)), (("amx_bf16",), ("static_wi8_ai8", "bf16"))]
)
def test_bf16_is_not_made_on_a_processor_without_it(isa: tuple[str, ...], schemes: tuple[str, ...]) -> None:
    inputs = make_inputs(digits_spec(export={"backends": ["openvino"]}))
    inputs = replace(inputs, host=replace(inputs.host, isa=isa))
    assert inputs.schemes(("static_wi8_ai8", "bf16")) == schemes


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="raspberry-pi-6"):
        open_inputs(digits_spec(devices=["raspberry-pi-6"]), Silent())
    with pytest.raises(UsageError, match="form"):
        open_inputs(digits_spec(passes={"form": "gather", "tokens": "resolution:24"}), Silent())
    random = {"name": "digits_vit", "random_weights": True}
    with pytest.raises(UsageError, match="accuracy of random"):
        open_inputs(digits_spec(model=random, data={"evaluation": "digits"}), Silent())
