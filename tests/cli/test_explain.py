"""``edgevit explain`` from end to end: what it writes, prints and refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from PIL import Image

from edgevit.cli import app

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs the command in this process and in an empty folder; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = app.run(["explain", *(str(argument) for argument in arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def photo(tmp_path: Path) -> str:
    """A JPEG whose sides are not those of any model."""
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg")
    return "photo.jpg"


@pytest.mark.parametrize("plan", ["evit:0.5@2,4", "squeeze:2=100,4=50"])
def test_the_example_in_the_help(plan: str, call: Call) -> None:
    code, out, err = call("digits_vit", "digits-0010", "digits-0024", "--tokens", plan, "--out", "seen")
    names = ["explain_digits-0010.png", "explain_digits-0024.png", "attention_distance.png"]
    assert code == 0
    assert out.splitlines() == [f"seen/{name}" for name in names]
    assert "warning" not in err
    assert sorted(path.name for path in Path("seen").iterdir()) == sorted(names)
    for name in names:
        with Image.open(Path("seen", name)) as picture:
            picture.load()


def test_any_plain_vit_and_any_image(call: Call, photo: str) -> None:
    code, out, err = call("test_vit", photo, "--random-weights", "--tokens", "tome:4", "--json", "--out", "seen")
    document = json.loads(out)
    assert code == 0
    assert "test_vit has random weights; what it looks at means nothing" in err
    assert document["sites"][0] == {"block": 1, "tokens": 96, "patches": 100}
    (drawn,) = document["images"]
    assert (drawn["image"], drawn["picture"]) == (photo, "seen/explain_photo.png")
    assert [each["model"] for each in drawn["answers"]] == ["dense", "reduced"]
    distances = document["attention_distance"]
    assert [len(heads) for heads in distances["pixels"]] == [2] * 6
    assert all(0 < pixels < 160 for heads in distances["pixels"] for pixels in heads)


@pytest.mark.parametrize("model", [("digits_cnn",), ("test_resnet", "--random-weights")])
def test_a_cnn_is_shown_by_grad_cam(model: tuple[str, ...], call: Call) -> None:
    name, *more = model
    code, out, err = call(name, "digits-0010", *more, "--json", "--out", "seen")
    document = json.loads(out)
    assert code == 0, err
    assert (document["method"], document["attention_distance"], document["sites"]) == ("grad-cam", None, [])
    assert "token" not in err and Path("seen/explain_digits-0010.png").is_file()
    assert [path.name for path in Path("seen").iterdir()] == ["explain_digits-0010.png"]


def test_what_each_model_takes_the_image_for(call: Call, digits_files: dict[str, Path]) -> None:
    options = ("--tokens", "evit:0.5@2,4", "--layer", "6", "--head", "1", "--artifact", digits_files["onnxruntime"])
    code, out, err = call("digits_vit", "digits-0010", *options, "--json")
    document = json.loads(out)
    assert code == 0, err
    answers = {each["model"]: each for each in document["images"][0]["answers"]}
    assert list(answers) == ["dense", "reduced", "compressed"]
    assert {each["label"] for each in answers.values()} == {answers["dense"]["label"]}
    assert all(0.1 < each["probability"] <= 1 for each in answers.values())
    assert (document["layer"], document["head"]) == (6, 1)


@pytest.mark.parametrize("more", [(), ("--tokens", "none")])
def test_without_a_plan_there_are_no_sites(more: tuple[str, ...], call: Call) -> None:
    code, out, _ = call("digits_vit", "digits-0010", "--json", *more)
    document = json.loads(out)
    assert code == 0
    assert (document["tokens"], document["sites"]) == (None, [])
    assert Path(document["attention_distance"]["picture"]).is_file()
    assert Path(document["images"][0]["picture"]).parent.name.startswith("digits_vit-explain-")


def test_a_spec_says_which_model(call: Call, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text('[model]\nname = "digits_vit"\nrandom_weights = true\n')
    code, _, err = call("spec.toml", "digits-0010", "--out", "seen")
    assert code == 0
    assert "digits_vit has random weights" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digits_vit"], "missing argument 'IMAGE'"),
        (["digits_vit", "nowhere.png"], "no such image: nowhere.png"),
        (["digits_vit", "digits-9999"], "no such image: digits-9999"),
        (["digits_vit", "."], ". is a folder, not an image"),
        (["digits_vit", "text.png"], "cannot read image text.png: not an image"),
        (["digits_vit", "digits-0010", "digits-0010"], "image digits-0010 is given twice"),
        (["nosuchvit", "digits-0010"], "unknown model: 'nosuchvit'"),
        (["some_folder", "digits-0010"], "unknown model: 'some_folder'"),
        (["test_vit", "digits-0010"], "where do the weights of test_vit come from?"),
        (["digits_vit", "digits-0010", "--weights", "nowhere"], "no such weights file"),
        (["digits_cnn", "digits-0010", "--tokens", "evit:0.7"], "cannot explain digits_cnn with --tokens"),
        (["test_resnet", "digits-0010", "--random-weights", "--layer", "1"], "cannot explain test_resnet with --layer"),
        (["digits_vit", "digits-0010", "--layer", "7"], "--layer 7: the model has 6 blocks"),
        (["digits_vit", "digits-0010", "--layer", "1", "--head", "99"], "--head 99: block 1 has"),
        (["digits_vit", "digits-0010", "--head", "1"], "--head has no effect without --layer"),
        (["digits_vit", "digits-0010", "--artifact", "nowhere.onnx"], "nowhere.onnx"),
        (["digits_vit", "digits-0010", "--tokens", "evit"], "not a token plan: 'evit'"),
        (["digits_vit", "digits-0010", "--tokens", ""], "the value of --tokens is empty"),
        (["digits_vit", "digits-0010", "--tokens", "resolution:24"], "not one token plan"),
        (["digits_vit", "digits-0010", "--tokens", "evit:0.7@9"], "names block 9, the model has 6"),
        (["digits_vit", "digits-0010", "--set", "model.nose=1"], "nose"),
        (["digits_vit", "digits-0010", "--set", "nose"], "is not KEY=VALUE"),
    ],
)
def test_exit_2_for_wrong_input(arguments: list[str], message: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no pixels here")
    (tmp_path / "some_folder").mkdir()
    code, out, err = call(*arguments, "--out", "seen")
    assert (code, out) == (2, "")
    assert message in err
    assert "hint: " in err or "names block" in message or "given twice" in message or "no such weights" in message
    assert not Path("seen").exists()


@pytest.mark.parametrize("out", ["file", "file/below", "/proc/nowhere"])
def test_exit_2_where_nothing_can_be_written(out: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, printed, err = call("digits_vit", "digits-0010", "--out", out)
    assert (code, printed) == (2, "")
    assert f"cannot make the folder {out}" in err
    assert "hint: choose another --out" in err
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_exit_2_where_the_folder_is_locked(call: Call, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    code, out, err = call("digits_vit", "digits-0010", "--out", "locked")
    assert (code, out) == (2, "")
    assert "permission denied" in err
