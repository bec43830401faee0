"""What a spec names is resolved once, and what does not fit is refused before anything heavy starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.data.sampling import RunData, TuningImages  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled import BUNDLED_MODELS  # noqa: E402
from edgevit.model.bundled.digits import digits_cnn  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline import inputs as module  # noqa: E402
from edgevit.pipeline.inputs import check_plans, input_files, open_inputs, open_model, pin_inputs  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.run.folder import RunFolder  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.spec import ModelSpec, Spec, resolve_spec  # noqa: E402
from edgevit.spec.token_plan import FORMS, parse_plans  # noqa: E402
from edgevit.spec.toml_files import find  # noqa: E402
from tests.data.pictures import save  # noqa: E402
from tests.factories import make_run  # noqa: E402
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import make_inputs, noise  # noqa: E402

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
DIGITS = {"evaluation": "digits", "calibration": "calibration:digits", "samples": 20}
TUNED = {"passes": {"tokens": "evit:0.7"}, "finetune": {"mode": "auto"}}


def vit() -> Model:
    return Model("small_vit", small_vit(depth=2), CONTRACT, 5, random_weights=False)


def cnn() -> Model:
    return Model("digits_cnn", digits_cnn().eval(), CONTRACT, 10, random_weights=False)


def fixed() -> Model:
    """Takes images of one size alone."""
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2)).eval()
    return Model("fixed", module, CONTRACT, 2, random_weights=False)


def spec(**sections: Any) -> Spec:
    return resolve_spec(None, None, {"model": {"name": "digits_vit"}, **sections})


# What is resolved.


def test_every_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    load, load_device = module.load_model, module.load_device
    monkeypatch.setattr(module, "load_model", lambda given, seed: loaded.append(given.name) or load(given, seed))
    monkeypatch.setattr(module, "load_device", lambda name: loaded.append(name) or load_device(name))
    opened = open_inputs(
        spec(
            data={**DIGITS, "train": "digits:train"},
            devices=["raspberry-pi-5", "galaxy-s24-npu"],
            passes={"distill": {"teacher": {"name": "digits_cnn"}}, "tokens": "evit:0.7,resolution:24"},
            export={"backends": ["tflite", "onnx", "litert"]},
        ),
        Silent(),
    )
    assert sorted(loaded) == ["digits_cnn", "digits_vit", "galaxy-s24-npu", "raspberry-pi-5"]
    assert [backend.name for backend in opened.backends] == ["litert", "onnxruntime"]
    assert [device.name for device in opened.devices] == ["raspberry-pi-5", "galaxy-s24-npu"]
    assert opened.teacher is not None and opened.teacher.name == "digits_cnn"
    assert opened.training_images is not None and len(opened.training_images) == 1097
    assert (opened.plans, opened.forms) == (parse_plans("evit:0.7,resolution:24"), FORMS)
    assert len(opened.images.ids) == 20 and opened.labels is not None and opened.has_real_images
    assert opened.calibration is not None and opened.calibration_record is not None
    assert opened.calibration_record.ids == opened.calibration.ids
    target = opened.target(transformer=True)
    assert (target.architecture, target.npu, target.isa) == ("transformer", True, opened.host.isa)


def test_a_device_in_a_file_has_the_name_that_it_states() -> None:
    path = str(find("devices", "galaxy-s24-npu"))
    opened = open_inputs(spec(devices=[path]), Silent())
    assert [device.name for device in opened.devices] == ["galaxy-s24-npu"]


def test_images_to_tune_with_are_those_of_calibration_or_others() -> None:
    calibration = open_inputs(spec(**TUNED, data=DIGITS), Silent()).tuning_images
    others = open_inputs(spec(**TUNED, data={**DIGITS, "train": "digits:train"}), Silent()).tuning_images
    part = open_inputs(spec(**TUNED, data={"evaluation": "digits", "calibration": "40%"}), Silent()).tuning_images
    assert calibration is not None and (len(calibration.train), len(calibration.kept)) == (96, 32)
    assert part is not None and part.train.source == "digits" and len(part.train) + len(part.kept) == 128
    assert others is not None and (len(others.train), len(others.kept)) == (922, 102)
    assert open_inputs(spec(**TUNED, data=DIGITS, quick=True), Silent()).tuning_images is None


def test_a_broken_image_to_tune_with_is_told_at_once(tmp_path: Path) -> None:
    for number in range(96):
        save(tmp_path / "train" / f"{number}.png", number)
    (tmp_path / "train" / "a.png").write_bytes(b"not an image")
    with pytest.raises(UsageError, match="1 broken images"):
        open_inputs(spec(**TUNED, data={**DIGITS, "train": str(tmp_path / "train")}), Silent())


def test_without_data_images_are_synthetic() -> None:
    opened = open_inputs(spec(), Silent())
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
    given = make_inputs(spec(), data=RunData(None, noise(3)))
    assert given.images == given.calibration
    assert (given.labels, given.has_real_images) == (None, True)
    assert given.notes[-1] == "candidates are judged by agreement with the float model on the calibration images"
    unlabelled = make_inputs(spec(), data=RunData(noise(3), noise(2)))
    assert unlabelled.notes == ("no labels: candidates are judged by agreement with the float model",)


def test_schemes_are_those_asked_for_or_of_the_policy() -> None:
    policy = ("dynamic_wi8_afp32", "static_wi8_ai8", "fp32")
    assert make_inputs(spec()).schemes(policy) == policy[:2]
    integers = make_inputs(spec(quantize={"integer_io": "int8"}, export={"backends": ["tflite"]}))
    assert integers.schemes(policy) == ("static_wi8_ai8",)
    named = make_inputs(spec(export={"schemes": ["fp32", "fp16"], "backends": ["tflite"]}))
    assert named.schemes(policy) == ("fp16",)


def test_files_of_weights_are_what_a_run_reads(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    given = spec(
        model={"name": "vit_tiny_patch16_224", "weights": str(weights)},
        passes={"distill": {"teacher": {"name": "digits_cnn"}}},
        data={"train": "digits:train"},
    )
    assert input_files(given) == (BUNDLED_MODELS["digits_cnn"].weights, weights)
    weights.unlink()
    assert input_files(given) == (BUNDLED_MODELS["digits_cnn"].weights,)


def test_a_run_is_tied_to_its_images(tmp_path: Path) -> None:
    given = spec()
    with RunFolder(tmp_path / "run", given, (), False) as folder:
        pin_inputs(folder, make_inputs(given, data=RunData(noise(3), None)))
        pin_inputs(folder, make_inputs(given, data=RunData(noise(3), None)))
        with pytest.raises(UsageError, match="the evaluation images changed"):
            pin_inputs(folder, make_inputs(given, data=RunData(noise(2), None)))


def linear(weight: float) -> Model:
    """A model whose name is that of a factory."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    nn.init.constant_(module[1].weight, weight)
    nn.init.constant_(module[1].bias, 0.0)
    return Model("tests.pipeline.test_inputs:linear", module.eval(), CONTRACT, 2, random_weights=False)


class Negated(nn.Module):
    """Computes the opposite with the same weights under the same names."""

    def __init__(self, module: nn.Sequential) -> None:
        super().__init__()
        self.inner = module

    def state_dict(self, *arguments: Any, **given: Any) -> Any:
        return self.inner.state_dict(*arguments, **given)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return -self.inner(images)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": RunData(noise(3, (0, 1, 1)), noise(2))}, "the evaluation images changed"),
        ({"data": RunData(noise(3, (0, 1, 0)).select(("1", "0", "2")), noise(2))}, "the evaluation images changed"),
        ({"data": RunData(noise(3, (0, 1, 0)), noise(2).select(("1", "0")))}, "the calibration images changed"),
        ({"training_images": noise(4, (1, 0, 0, 0))}, "the training images changed"),
        ({"tuning_images": TuningImages(noise(3), noise(2))}, "the fine-tuning images changed"),
        ({"tuning_images": TuningImages(noise(2), noise(3))}, "the kept-apart images changed"),
        ({"model": linear(2.0)}, "the (output|weights) of the model changed"),
        ({"model": replace(linear(1.0), module=Negated(linear(1.0).module))}, "the output of the model changed"),
        ({"model": replace(linear(1.0), preprocessing=replace(CONTRACT, crop_pct=0.9))}, "the preprocessing of the model"),
        ({"teacher": linear(2.0)}, "of the teacher changed"),
        ({"host": replace(make_run().host, cpu="Other CPU")}, "the processor changed .* began: it was .*, and is Other CPU"),
        ({"host": replace(make_run().host, isa=("avx2",))}, "the processor changed"),
        ({"host": replace(make_run().host, python="3.9.1")}, "installed versions changed .* Python was .*, and is 3.9.1"),
    ],
)  # fmt: skip
def test_a_run_is_tied_to_all_that_its_stages_read(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    given = spec()
    before: dict[str, Any] = {
        "data": RunData(noise(3, (0, 1, 0)), noise(2)),
        "training_images": noise(4, (0, 0, 0, 0)),
        "tuning_images": TuningImages(noise(2), noise(2)),
        "model": linear(1.0),
        "teacher": linear(1.0),
    }
    with RunFolder(tmp_path / "run", given, (), False) as folder:
        pin_inputs(folder, make_inputs(given, **before))
        pin_inputs(folder, make_inputs(given, **before))
        with pytest.raises(UsageError, match=told):
            pin_inputs(folder, make_inputs(given, **(before | changes)))


def test_a_run_is_tied_to_the_versions_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = spec()
    monkeypatch.setattr(module, "tool_versions", lambda: {"onnxruntime": "0.2"})
    with RunFolder(tmp_path / "run", given, (), False) as folder:
        pin_inputs(folder, make_inputs(given))
        monkeypatch.setattr(module, "tool_versions", lambda: {"onnxruntime": "0.1"})
        with pytest.raises(UsageError, match=r"installed versions changed .* onnxruntime was 0.2, and is 0.1$"):
            pin_inputs(folder, make_inputs(given))


# What is refused.


@pytest.mark.parametrize("name", ["model.onnx", "folder/model.tflite", "MODEL.XML"])
def test_an_exported_file_is_neither_a_model_nor_weights(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is a file for .*, not a PyTorch model") as caught:
        open_model(ModelSpec(name=name), 0)
    assert caught.value.hint and "--weights FILE" in caught.value.hint and "edgevit inspect" in caught.value.hint
    with pytest.raises(UsageError, match=f"{name} is a file for .*, not a PyTorch model"):
        open_model(ModelSpec(name="digits_vit", weights=tmp_path / name), 0)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"export": {"backends": []}}, "no backend is asked for"),
        ({"export": {"backends": ["tensorrt"]}}, "tensorrt"),
        ({"export": {"backends": ["onnx"], "schemes": ["fp16"]}}, "ONNX Runtime has no scheme 'fp16'"),
        ({"devices": ["raspberry-pi-6"]}, "raspberry-pi-6"),
        ({"quantize": {"integer_io": "int8"}}, "artifacts have float inputs and outputs"),
        (
            {"quantize": {"integer_io": "int8"}, "export": {"backends": ["tflite"], "schemes": ["fp16"]}},
            "integer I/O needs static int8, not fp16",
        ),
        (
            {"model": {"name": "digits_vit", "random_weights": True}, "data": {"evaluation": "digits"}},
            "accuracy of random",
        ),
        ({"passes": {"distill": {"teacher": {"name": "digits_cnn"}}}}, "distillation needs images to train on"),
        (
            {"passes": {"distill": {"teacher": {"name": "digits_cnn"}}}, "data": {**DIGITS, "train": "digits"}},
            "training",
        ),
        (
            {
                "passes": {"distill": {"teacher": {"name": "resnet18", "random_weights": True}}},
                "data": {"train": "digits:train"},
            },
            "the teacher has 1000 classes, the model 10",
        ),
        (
            {"passes": {"distill": {"teacher": {"name": "net.pt2"}}}, "data": {"train": "digits:train"}},
            r"the teacher .*net\.pt2 is a captured program, which takes one image at a time",
        ),
        ({"passes": {"form": "gather", "tokens": "resolution:24"}}, "form"),
        ({**TUNED, "data": {}}, "fine-tuning needs images"),
        ({**TUNED, "data": {"evaluation": "digits"}}, "fine-tuning needs images"),
        ({**TUNED, "data": {"calibration": "calibration:digits"}}, "on which candidates are judged"),
        ({**TUNED, "data": {"evaluation": "digits", "train": "digits"}}, "training images of digits are in"),
        ({**TUNED, "data": {"evaluation": "digits", "calibration": "10%"}}, "at least 96 different images"),
    ],
)
def test_what_does_not_fit_is_refused(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_inputs(spec(**sections), Silent())


@pytest.mark.parametrize(
    ("make", "tokens", "message"),
    [
        (
            cnn,
            "evit:0.7",
            "token reduction needs an encoder of softmax-attention blocks, and DigitsCnn is none: it has no softmax attention",
        ),
        (cnn, "tome:8", "token reduction needs an encoder of softmax-attention blocks"),
        (fixed, "auto", "needs an encoder of softmax-attention blocks.* takes 32 x 32 alone"),
        (cnn, "auto", "--tokens auto needs images"),
        (cnn, "patch:8", "patch:8 needs a plain vision transformer"),
        (vit, "evit:0.7@3", "names block 3, the model has 2"),
        (vit, "tome:60", "leaves 4 of 64 patch tokens at block 1: tome merges at most half"),
        (vit, "evit:0.999", "keeps all 64 patch tokens"),
        (vit, "resolution:27", "27"),
        (vit, "resolution:64", "64"),
        (vit, "resolution:32", "resolution:32 is no reduction: it is what the model has"),
        (vit, "patch:4", "patch:4 is no reduction: it is what the model has"),
        (cnn, "resolution:32", "resolution:32 is no reduction"),
        (vit, "patch:2", "patch:2 is no reduction"),
        (vit, "evit:0.7,tome:60", "tome merges at most half"),  # the second of two
        (vit, "auto", "--tokens auto needs images"),
    ],
)
def test_a_plan_that_the_model_cannot_carry_out_is_refused(
    make: Callable[[], Model], tokens: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        check_plans(parse_plans(tokens), make(), RunData(None, None))
    assert caught.value.hint or "names block 3" in message


@pytest.mark.parametrize(
    ("make", "tokens", "data"),
    [
        (vit, "none", RunData(None, None)),
        (vit, "evit:0.7,evit_fused:0.5@2,tome:8,squeeze:1=40,resolution:24,patch:8", RunData(None, None)),
        (vit, "auto", RunData(noise(2), None)),
        (vit, "auto", RunData(None, noise(2))),
        (cnn, "none", RunData(None, None)),
        (cnn, "resolution:24", RunData(None, None)),
        (cnn, "auto", RunData(noise(2), None)),
    ],
)
def test_plans_that_it_can_are_not_and_the_model_stays_as_it_is(
    make: Callable[[], Model], tokens: str, data: RunData
) -> None:
    model = make()
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    check_plans(parse_plans(tokens), model, data)
    after = model.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


# A quick look, and what this processor cannot compute.


def test_a_quick_run_has_a_fifth_of_the_images_and_nothing_but_the_dense_model() -> None:
    asked = {"data": {**DIGITS, "samples": 200, "train": "digits:train"}, "quick": True}
    passes = {"tokens": "evit:0.5@2", "distill": {"teacher": {"name": "digits_cnn"}}}
    quick = open_inputs(spec(**asked, passes=passes), Silent())
    assert len(quick.images.ids) == 40
    assert quick.labels is not None
    assert len(quick.labels) == 40
    assert quick.calibration is not None
    assert len(quick.calibration.ids) == 32
    assert (quick.plans, quick.teacher, quick.training_images) == ((), None, None)
    assert any(note.startswith("quick: ") for note in quick.notes)


def test_a_quick_run_has_as_many_images_as_tell_anything() -> None:
    assert len(open_inputs(spec(data={**DIGITS, "samples": 50}, quick=True), Silent()).images.ids) == 20
    assert len(open_inputs(spec(data={**DIGITS, "samples": 15}, quick=True), Silent()).images.ids) == 15


@pytest.mark.parametrize(
    ("isa", "schemes"), [(("avx2",), ("static_wi8_ai8",)), (("amx_bf16",), ("static_wi8_ai8", "bf16"))]
)
def test_bf16_is_not_made_on_a_processor_without_it(isa: tuple[str, ...], schemes: tuple[str, ...]) -> None:
    inputs = make_inputs(spec(export={"backends": ["openvino"]}))
    inputs = replace(inputs, host=replace(inputs.host, isa=isa))
    assert inputs.schemes(("static_wi8_ai8", "bf16")) == schemes


def test_bf16_is_refused_on_a_processor_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    host = replace(make_inputs(spec()).host, cpu="Old CPU", isa=("avx2",))
    monkeypatch.setattr(module, "host_fingerprint", lambda threads: host)
    with pytest.raises(UsageError, match="bf16 needs a processor with bf16; Old CPU has none"):
        open_inputs(spec(export={"backends": ["openvino"], "schemes": ["bf16"]}), Silent())


# Labels.


def class_folders(root: Path, names: tuple[str, ...]) -> str:
    for seed, name in enumerate(names):
        for number in range(2):
            save(root / name / f"{number}.png", 10 * seed + number, side=32)
    return str(root)


def test_labels_are_outputs_of_the_model_and_kept_with_their_names(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "data", tuple(map(str, range(10))))
    (tmp_path / "data" / "notes.txt").write_text("no image")
    opened = open_inputs(spec(data={"evaluation": source}), Silent())
    assert opened.labels == tuple(label for label in range(10) for _ in range(2))
    record = opened.evaluation_record
    assert record is not None and record.classes == {str(label): label for label in range(10)}
    assert record.source == source and "notes.txt" in record.notes[0]
    assert record.notes[0] in opened.notes and record.notes[0] in opened.warnings


def test_class_folders_that_are_fewer_than_the_outputs_are_refused(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "data", ("a", "b", "c"))
    with pytest.raises(UsageError, match="3 class folders, the model 10 classes"):
        open_inputs(spec(data={"evaluation": source}), Silent())
    assert open_inputs(spec(data={"calibration": source}), Silent()).calibration is not None


def test_labels_that_count_from_one_can_be_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((10, 8, 8), np.uint8), labels=np.arange(1, 11))
    data = {"evaluation": str(tmp_path / "a.npz")}
    with pytest.raises(UsageError, match="label 10 is outside") as caught:
        open_inputs(spec(data=data), Silent())
    assert caught.value.hint and "--class-offset -1" in caught.value.hint
    opened = open_inputs(spec(data={**data, "class_offset": -1}), Silent())
    assert opened.labels == tuple(range(10))


def test_a_part_of_images_whose_labels_count_from_one_may_calibrate(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.repeat(np.arange(1, 11), 4))
    data = {"evaluation": str(tmp_path / "a.npz"), "calibration": "25%", "class_offset": -1}
    opened = open_inputs(spec(data=data), Silent())
    assert opened.labels == tuple(label for label in range(10) for _ in range(3))
    assert opened.calibration is not None and len(opened.calibration.ids) == 10


# Names of the classes, for artifacts to carry.


def test_names_of_classes_are_those_of_a_file_or_of_folders_or_the_models_own(tmp_path: Path) -> None:
    folders = class_folders(tmp_path / "named", tuple(f"digit {digit}" for digit in range(10)))
    (tmp_path / "labels.txt").write_text("\n".join("abcdefghij"))
    assert open_inputs(spec(), Silent()).class_names == tuple("0123456789")
    by_folder = open_inputs(spec(data={"evaluation": folders}), Silent())
    assert by_folder.class_names == tuple(f"digit {digit}" for digit in range(10))
    labels = {"labels": str(tmp_path / "labels.txt")}
    asked = spec(data={"evaluation": folders}, export=labels)
    by_file = open_inputs(asked, Silent())
    assert by_file.class_names == tuple("abcdefghij")
    contract = by_file.contract(CONTRACT, "static_wi8_ai8")
    assert (contract.classes, contract.preprocessing, contract.scheme) == (
        by_file.class_names,
        CONTRACT,
        "static_wi8_ai8",
    )
    assert (contract.layout, contract.spec_sha256) == ("NCHW", asked.sha256)


def test_a_file_of_other_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(UsageError, match="names 2 classes, and the model has 10"):
        open_inputs(spec(export={"labels": str(tmp_path / "labels.txt")}), Silent())


def test_class_folders_of_imagenet_have_its_names(tmp_path: Path) -> None:
    from edgevit.data.class_order import order_folders

    model = Model("m", nn.Identity(), CONTRACT, 1000, random_weights=False)
    images = replace(noise(1, (0,)), classes=order_folders(tmp_path, ["n01440764", "n01443537"]))
    names = module._class_names(spec(), model, RunData(images, None))
    assert (len(names), names[0].partition(",")[0], names[1].partition(",")[0]) == (1000, "tench", "goldfish")
