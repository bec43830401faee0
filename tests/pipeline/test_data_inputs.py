"""Images are opened for what a spec needs them for, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.data.images import open_images  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.pipeline.inputs import open_inputs  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from tests.data.pictures import class_folders, save  # noqa: E402
from tests.pipeline.contexts import DIGITS, TUNED, digits_spec  # noqa: E402


def test_images_to_tune_with_are_those_of_calibration_or_others() -> None:
    calibration = open_inputs(digits_spec(**TUNED, data=DIGITS), Silent()).tuning_images
    others = open_inputs(digits_spec(**TUNED, data={**DIGITS, "train": "digits:train"}), Silent()).tuning_images
    part = open_inputs(
        digits_spec(**TUNED, data={"evaluation": "digits", "calibration": "40%"}), Silent()
    ).tuning_images
    assert calibration is not None and (len(calibration.train), len(calibration.kept)) == (96, 32)
    assert part is not None and part.train.source == "digits" and len(part.train) + len(part.kept) == 128
    assert others is not None and (len(others.train), len(others.kept)) == (922, 102)
    assert open_inputs(digits_spec(**TUNED, data=DIGITS, quick=True), Silent()).tuning_images is None


def test_a_broken_image_to_tune_with_is_told_at_once(tmp_path: Path) -> None:
    for number in range(96):
        save(tmp_path / "train" / f"{number}.png", number)
    (tmp_path / "train" / "a.png").write_bytes(b"not an image")
    with pytest.raises(UsageError, match="1 broken images"):
        open_inputs(digits_spec(**TUNED, data={**DIGITS, "train": str(tmp_path / "train")}), Silent())


def test_a_quick_run_has_as_many_images_as_tell_anything() -> None:
    assert len(open_inputs(digits_spec(data={**DIGITS, "samples": 50}, quick=True), Silent()).images.ids) == 20
    assert len(open_inputs(digits_spec(data={**DIGITS, "samples": 15}, quick=True), Silent()).images.ids) == 15


def test_labels_are_outputs_of_the_model_and_kept_with_their_names(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "data", tuple(map(str, range(10))))
    (tmp_path / "data" / "notes.txt").write_text("no image")
    opened = open_inputs(digits_spec(data={"evaluation": source}), Silent())
    assert opened.labels == tuple(label for label in range(10) for _ in range(2))
    record = opened.evaluation_record
    assert record is not None and record.classes == {str(label): label for label in range(10)}
    assert record.source == source and "notes.txt" in record.notes[0]
    assert record.notes[0] in opened.notes and record.notes[0] in opened.warnings


def test_class_folders_that_are_fewer_than_the_outputs_are_refused(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "data", ("a", "b", "c"))
    with pytest.raises(UsageError, match="3 class folders, the model 10 classes"):
        open_inputs(digits_spec(data={"evaluation": source}), Silent())
    assert open_inputs(digits_spec(data={"calibration": source}), Silent()).calibration is not None


def test_labels_that_count_from_one_can_be_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((10, 8, 8), np.uint8), labels=np.arange(1, 11))
    data = {"evaluation": str(tmp_path / "a.npz")}
    with pytest.raises(UsageError, match="label 10 is outside") as caught:
        open_inputs(digits_spec(data=data), Silent())
    assert caught.value.hint and "--class-offset -1" in caught.value.hint
    opened = open_inputs(digits_spec(data={**data, "class_offset": -1}), Silent())
    assert opened.labels == tuple(range(10))


def test_a_part_of_images_whose_labels_count_from_one_may_calibrate(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.repeat(np.arange(1, 11), 4))
    data = {"evaluation": str(tmp_path / "a.npz"), "calibration": "25%", "class_offset": -1}
    opened = open_inputs(digits_spec(data=data), Silent())
    assert opened.labels == tuple(label for label in range(10) for _ in range(3))
    assert opened.calibration is not None and len(opened.calibration.ids) == 10


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"distill": {"teacher": {"name": "digits_cnn"}}, "data": {**DIGITS, "train": "digits"}},
            "training",
        ),
        ({**TUNED, "data": {}}, "fine-tuning needs images"),
        ({**TUNED, "data": {"evaluation": "digits"}}, "fine-tuning needs images"),
        ({**TUNED, "data": {"calibration": "calibration:digits"}}, "on which candidates are judged"),
        ({**TUNED, "data": {"evaluation": "digits", "train": "digits"}}, "training images of digits are in"),
        ({**TUNED, "data": {"evaluation": "digits", "calibration": "10%"}}, "at least 96 different images"),
    ],
)
def test_what_does_not_fit_is_refused(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_inputs(digits_spec(**sections), Silent())


def _digits_as_arrays(path: Path, split: str, labels: bool = True) -> str:
    """Twenty images of the digits as an archive, with labels or without."""
    images = open_images(f"digits:{split}")
    pixels = np.stack([np.asarray(images.image(name)) for name in images.ids[:20]])
    assert images.labels is not None
    np.savez(path, images=pixels, **({"labels": np.array(images.labels[:20])} if labels else {}))
    return str(path)


def test_further_sets_have_labels_and_share_no_image_with_those_that_calibrate_or_train(tmp_path: Path) -> None:
    held, other = (_digits_as_arrays(tmp_path / f"{split}.npz", split) for split in ("calibration", "train"))
    data = {"evaluation": "digits", "calibration": held}
    found = open_inputs(digits_spec(data={**data, "also_evaluate": [other]}), Silent())
    assert [len(images) for images in found.data.others] == [20]
    assert [record.source for record in found.other_evaluations] == [other]
    plain = _digits_as_arrays(tmp_path / "plain.npz", "train", labels=False)
    with pytest.raises(UsageError, match="plain.npz has no labels, which each further set"):
        open_inputs(digits_spec(data={**data, "also_evaluate": [plain]}), Silent())
    again = str(tmp_path / "again.npz")
    (tmp_path / "again.npz").write_bytes(Path(held).read_bytes())
    with pytest.raises(UsageError, match="20 calibration images of .* are in .*again.npz too"):
        open_inputs(digits_spec(data={**data, "also_evaluate": [again]}), Silent())
