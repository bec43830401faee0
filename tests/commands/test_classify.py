"""Naming what is in images from the command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.api.load import load
from edgevit.backends import get_backend
from edgevit.cli.app import run
from edgevit.commands import probes
from edgevit.commands.classify import Question, classify_images
from edgevit.errors import UsageError
from edgevit.results.artifact import Tiles
from edgevit.results.output import Output
from edgevit.spec.spec import PreprocessingOverrides
from tests.data.pictures import save

NOTHING = PreprocessingOverrides()


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    from edgevit.data.images import open_images

    paths = (tmp_path / "nought.png", tmp_path / "one.png")
    images = open_images("digits")
    for path, name in zip(paths, ("digits-0010", "digits-0021"), strict=True):
        images.image(name).save(path)
    return paths


def test_a_bare_file_is_all_it_takes(
    digits_files: dict[str, Path], photos: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = str(digits_files["litert"])
    assert run(("classify", artifact, *map(str, photos), "--top", "3", "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert [image["image"] for image in document["images"]] == [str(photo) for photo in photos]
    for image, label in zip(document["images"], "01", strict=True):
        assert (image["answers"][0]["label"], len(image["answers"])) == (label, 3)
        assert 0 < image["inference_ms"] <= image["total_ms"]
    assert (document["artifact"], document["notes"]) == (artifact, [])


def test_what_is_given_is_said_and_names_the_classes(
    digits_files: dict[str, Path], photos: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(f"digit {digit}" for digit in range(10)))
    options = ("--labels", str(tmp_path / "labels.txt"), "--mean", "0.45")
    assert run(("classify", str(digits_files["onnxruntime"]), str(photos[1]), *options)) == 0
    shown = capsys.readouterr()
    head, first, *others = shown.out.splitlines()
    assert head.startswith(f"{photos[1]} (")
    assert first.endswith("%  digit 1")
    assert len(others) == 4
    assert "note: as given, in place of what the file states: mean 0.45,0.45,0.45 (not 0.5,0.5,0.5)" in shown.err


def test_a_file_that_states_nothing(photos: tuple[Path, Path], tmp_path: Path) -> None:
    artifact = Path(shutil.copy(probes.probe_path(".tflite"), tmp_path / "model.tflite"))
    with pytest.raises(UsageError, match="carries no contract and is not part of a run") as caught:
        classify_images(Question(artifact, photos, NOTHING, None, 5, 1))
    assert caught.value.hint and "--mean and --std" in caught.value.hint
    given = PreprocessingOverrides(mean=(0, 0, 0), std=(1, 1, 1))
    with pytest.raises(UsageError, match="not a model of single images"):
        classify_images(Question(artifact, photos, given, None, 5, 1))


def test_images_that_cannot_be_read_are_all_named(digits_files: dict[str, Path], tmp_path: Path) -> None:
    save(tmp_path / "good.png", 0)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("no image")
    images = tuple(tmp_path / name for name in ("a.jpg", "good.png", "b.jpg"))
    with pytest.raises(UsageError, match=r"a.jpg: not an image.*b.jpg: not an image"):
        classify_images(Question(digits_files["onnxruntime"], images, NOTHING, None, 5, 1))
    with pytest.raises(UsageError, match="no such image: .*nowhere.png"):
        classify_images(Question(digits_files["onnxruntime"], (tmp_path / "nowhere.png",), NOTHING, None, 5, 1))


def test_an_embedding_names_no_classes(
    digits_files: dict[str, Path], photos: tuple[Path, Path], tmp_path: Path
) -> None:
    artifact = Path(shutil.copy(digits_files["onnxruntime"], tmp_path / "model.onnx"))
    backend = get_backend("onnxruntime")
    contract = backend.read_contract(artifact)
    assert contract is not None
    backend.write_contract(artifact, replace(contract, classes=(), outputs=(Output("embedding", (10,)),)))
    with pytest.raises(UsageError, match=r"is no classifier: it gives embedding \[10\] and names no classes") as caught:
        classify_images(Question(artifact, photos, NOTHING, None, 5, 1))
    assert (
        caught.value.hint
        and f"{artifact.with_name('use.py')}" in caught.value.hint
        and "edgevit eval" in caught.value.hint
    )


def test_an_artifact_of_tiles_is_used_with_tiles_everywhere(
    digits_files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A digit in the corner of a large image: its own tile is sure, and a shrunken whole is not."""
    from edgevit.data.images import open_images

    backend = get_backend("onnxruntime")
    shutil.copytree(digits_files["onnxruntime"].parent, tmp_path / "tiled")
    path = tmp_path / "tiled" / digits_files["onnxruntime"].name
    contract = backend.read_contract(path)
    assert contract is not None
    tiled = replace(contract, preprocessing=replace(contract.preprocessing, tiles=Tiles((32, 32), 0.25, "best")))
    backend.write_contract(path, tiled)
    digit = open_images("digits").image("digits-0010")
    large = Image.new("RGB", (76, 54), digit.getpixel((0, 0)))
    large.paste(digit, (76 - 32, 54 - 32))
    large.save(tmp_path / "large.png")
    digit.save(tmp_path / "alone.png")
    (best, *_), (alone, *_) = (load(path).classify(tmp_path / name) for name in ("large.png", "alone.png"))
    assert alone == load(digits_files["onnxruntime"]).classify(tmp_path / "alone.png")[0]
    assert best[0] == alone[0] == "0"
    assert best[1] >= alone[1] - 1e-6
    answers = {}
    for name, file, more in (
        ("by the file", path, ()),
        ("as given", digits_files["onnxruntime"], ("--tiles", "size=32,overlap=0.25,reduce=best")),
    ):
        assert run(("classify", str(file), str(tmp_path / "large.png"), *more, "--json")) == 0
        answers[name] = json.loads(capsys.readouterr().out)
    assert answers["by the file"]["images"][0]["answers"] == answers["as given"]["images"][0]["answers"]
    assert answers["by the file"]["images"][0]["answers"][0]["probability"] == pytest.approx(best[1])
    assert answers["as given"]["notes"] == [
        "as given, in place of what the file states: tiles size=32,overlap=0.25,reduce=best (not None)"
    ]
    np.testing.assert_array_equal(
        np.concatenate(list(load(path).views(tmp_path / "large.png"))), load(path).prepare(tmp_path / "large.png")
    )
    assert load(path).answer(load(path).prepare(tmp_path / "large.png"))[0] == best
