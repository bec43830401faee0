"""The reduce-tokens command: what it prints, writes and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from edgevit.cli import app as app_module  # noqa: E402
from edgevit.errors import ExitCode  # noqa: E402

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs the command in an empty folder; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = app_module.run(["reduce-tokens", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_the_table_has_a_row_for_each_site(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("digits_vit", "--tokens", "squeeze:0.5@2,4", "--form", "arithmetic", "--out", "mine.pt2")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert out.startswith("digits_vit with squeeze:0.5@2,4, arithmetic form, input 32 × 32\n")
    assert ["2", "256", "128"] in lines
    assert ["4", "128", "64"] in lines
    assert "MACs: " in out
    assert "top-1" not in out
    assert out.rstrip().endswith("written: mine.pt2")
    assert torch.export.load(tmp_path / "mine.pt2").example_inputs[0][0].shape == (1, 3, 32, 32)


@pytest.mark.slow
def test_with_digits_it_tells_the_accuracy_before_and_after(call: Call, tmp_path: Path) -> None:
    code, out, err = call("digits_vit", "--tokens", "evit:0.7", "--data", "digits", "--samples", 20)
    assert code == 0
    assert "before," in out
    assert "on 20 images in PyTorch" in out
    assert "of 20 images\n" in out
    assert "evaluate before in PyTorch" in err
    assert (tmp_path / "reduced.pt2").is_file()


def test_json_is_one_document_on_stdout(call: Call) -> None:
    code, out, _ = call("digits_vit", "--tokens", "resolution:24", "--json")
    document = json.loads(out)
    assert code == 0
    assert (document["plan"], document["form"], document["input_size"]) == ("resolution:24", None, [24, 24])
    assert (document["sites"], document["agreement"], document["program"]) == ([], None, "reduced.pt2")
    assert document["macs_after"] < document["macs_before"]


def test_a_spec_says_which_model(call: Call, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text('[model]\nname = "digits_vit"\n[passes]\nform = "arithmetic"\n')
    code, out, _ = call("spec.toml", "--tokens", "tome:2=200", "--json")
    assert (code, json.loads(out)["form"]) == (0, "arithmetic")


def test_a_spec_says_which_plan(call: Call, tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text('[model]\nname = "digits_vit"\n[passes]\ntokens = "tome:2=200"\n')
    code, out, _ = call("spec.toml", "--json")
    assert (code, json.loads(out)["plan"]) == (0, "tome:2=200")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("digits_vit", "--tokens", "auto"), "use edgevit compress --tokens auto"),
        (("digits_vit", "--tokens", "evit:0.5,tome:8"), "give exactly one plan"),
        (("digits_vit", "--tokens", "none"), "give exactly one plan"),
        (("digits_vit", "--tokens", "evil:0.5"), "did you mean evit"),
        (("digits_vit",), "--tokens"),
        (("digits_vit", "--tokens", "resolution:24", "--form", "gather"), "no plan here reduces tokens"),
        (("digits_vit", "--tokens", "evit:0.5", "--out", "model.onnx"), "is not a .pt2 file"),
        (("digits_vit", "--tokens", "evit:0.5", "--form", "auto_gather"), "passes.form"),
        (("digits_cnn", "--tokens", "evit:0.5"), "needs an encoder of softmax-attention blocks"),
        (("digits_vit", "--tokens", "evit:0.5", "--data", "nowhere"), "nowhere"),
        (("digits_vitt", "--tokens", "evit:0.5"), "digits_vit"),
    ],
)
def test_exit_2_for_wrong_input(arguments: tuple[str, ...], message: str, call: Call, tmp_path: Path) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (ExitCode.USAGE, "")
    assert message in " ".join(err.split())
    assert list(tmp_path.glob("*.pt2")) == []
