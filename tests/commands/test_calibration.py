"""Calibration sets as files: balanced, repeatable, told by digests, and found where their images lie."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.commands.calibration import check_calibration, make_calibration
from edgevit.data.images import open_images
from edgevit.errors import UsageError
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.toml_files import names


def photographs(folder: Path, classes: tuple[int, ...] = (30, 8, 12)) -> Path:
    """Class folders with smooth pictures, which look like no noise."""
    generator = np.random.default_rng(0)
    for label, count in enumerate(classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(count):
            small = Image.fromarray(generator.integers(0, 256, (4, 4, 3), dtype=np.uint8))
            small.resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"class{label}" / f"{number}.png")
    return folder


def test_equally_many_of_each_class_as_far_as_there_are(tmp_path: Path) -> None:
    photographs(tmp_path / "train")
    found = make_calibration(str(tmp_path / "train"), tmp_path / "set.toml", 33, 0, "Photographs")
    chosen = open_images(str(tmp_path / "set.toml"))
    assert (found.images, found.classes, found.warnings) == (33, 3, ())
    assert sorted(Counter(chosen.labels or ()).values()) == [8, 12, 13]
    assert check_calibration(str(tmp_path / "set.toml")).images == 33


def test_a_seed_gives_the_same_bytes_and_another_others(tmp_path: Path) -> None:
    photographs(tmp_path / "train")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        make_calibration(str(tmp_path / "train"), tmp_path / f"{name}.toml", 9, seed, "Photographs")
    first, again, other = ((tmp_path / f"{name}.toml").read_bytes() for name in "abc")
    assert first == again
    assert first != other


def test_manifest_and_images_can_be_moved_together(tmp_path: Path) -> None:
    photographs(tmp_path / "here" / "train")
    make_calibration(str(tmp_path / "here" / "train"), tmp_path / "here" / "set.toml", 9, 0, "Photographs")
    (tmp_path / "here").rename(tmp_path / "there")
    assert check_calibration(str(tmp_path / "there" / "set.toml")).images == 9


def test_images_elsewhere_are_named_behind_the_manifest(tmp_path: Path) -> None:
    photographs(tmp_path / "train")
    manifest = tmp_path / "set.toml"
    make_calibration(str(tmp_path / "train"), manifest, 9, 0, "Photographs")
    (tmp_path / "train").rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="are not there") as caught:
        check_calibration(str(manifest))
    assert f"{manifest}@FOLDER" in str(caught.value.hint)
    assert check_calibration(f"{manifest}@{tmp_path / 'moved'}").images == 9


def test_other_images_under_the_same_names_are_refused(tmp_path: Path) -> None:
    photographs(tmp_path / "train")
    make_calibration(str(tmp_path / "train"), tmp_path / "set.toml", 50, 0, "Photographs")
    first = tmp_path / "train" / "class0" / "0.png"
    Image.new("RGB", (32, 32)).save(first)
    with pytest.raises(UsageError, match="sha256 differs"):
        check_calibration(str(tmp_path / "set.toml"))


@pytest.mark.parametrize(
    ("out", "count", "said"),
    [
        ("set.json", 5, r"does not end in \.toml"),
        ("set.toml", 51, "has 50 images, not 51"),
        ("there.toml", 5, "exists"),
    ],
)
def test_what_cannot_be_made_is_refused(out: str, count: int, said: str, tmp_path: Path) -> None:
    photographs(tmp_path / "train")
    (tmp_path / "there.toml").write_text("mine")
    with pytest.raises(UsageError, match=said):
        make_calibration(str(tmp_path / "train"), tmp_path / out, count, 0, "Photographs")
    assert (tmp_path / "there.toml").read_text() == "mine"
    assert not (tmp_path / "set.toml").exists()


def test_few_images_are_doubtful(tmp_path: Path) -> None:
    photographs(tmp_path / "train")
    found = make_calibration(str(tmp_path / "train"), tmp_path / "set.toml", 9, 0, "Photographs")
    assert found.warnings


def test_a_spec_anchors_the_folder_behind_a_shipped_manifest(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "spec.toml").write_text(
        '[model]\nname = "digits_vit"\n[data]\ncalibration = "calibration:flowers5@photos"\n'
    )
    spec = resolve_spec(tmp_path / "spec.toml", None, {})
    assert spec.data.calibration == f"calibration:flowers5@{tmp_path / 'photos'}"


@pytest.mark.parametrize(("name", "folder"), [("flowers5", "flowers5"), ("imagenet-val", "imagenet_val")])
def test_shipped_sets_are_those_of_the_real_images(name: str, folder: str, shared_data: Path) -> None:
    assert name in names("calibration")
    found = check_calibration(f"calibration:{name}@{shared_data / folder}")
    assert found.images in (125, 256)
    assert found.warnings == ()
