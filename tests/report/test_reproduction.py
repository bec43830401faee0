"""The commands of a report do what the run did."""

from __future__ import annotations

import shlex
from dataclasses import replace

from edgevit.report.reproduction import compress_command, explain_command, load_lines, script_command
from edgevit.results.artifact import PassRecord
from edgevit.spec.spec import Spec
from tests.factories import make_candidate, make_run

GIVEN = {
    "model": {"name": "digits_vit", "preprocessing": {"crop_pct": 0.9}},
    "data": {"evaluation": "digits", "calibration": "my images/", "train": "digits:train"},
    "distill": {"teacher": {"name": "digits_cnn"}, "epochs": 2},
    "passes": {"tokens": "evit:0.7@2,4", "form": "gather"},
    "export": {"backends": ["onnx", "tflite"]},
    "devices": ["raspberry-pi-5", "raspberry-pi-4b"],
    "budget": {"max_drop": 1.5},
    "quick": True,
}


def test_the_command_says_all_that_is_not_a_default() -> None:
    spec = Spec.model_validate({**GIVEN, "quick": False}).model_dump(mode="json")
    words = shlex.split(compress_command(make_run(spec=spec)))
    assert words[:3] == ["edgevit", "compress", "digits_vit"]
    pairs = list(zip(words[3::2], words[4::2], strict=True))
    assert pairs == [
        ("--set", "model.preprocessing.crop_pct=0.9"),
        ("--data", "digits"),
        ("--calibration", "my images/"),
        ("--train", "digits:train"),
        ("--teacher", "digits_cnn"),
        ("--set", "distill.epochs=2"),
        ("--tokens", "evit:0.7@2,4"),
        ("--form", "gather"),
        ("--export", "onnx,tflite"),
        ("--device", "raspberry-pi-5"),
        ("--device", "raspberry-pi-4b"),
        ("--max-drop", "1.5"),
        ("--out", "again"),
    ]


def test_flags_stand_alone() -> None:
    spec = {"model": {"name": "m", "random_weights": True}, "quick": True}
    assert compress_command(make_run(spec=spec)) == "edgevit compress m --random-weights --quick --out again"


def test_names_from_outside_are_quoted() -> None:
    assert "'a b; rm -rf $HOME'" in compress_command(make_run(spec={"model": {"name": "a b; rm -rf $HOME"}}))
    artifact = make_candidate().artifact
    assert artifact is not None
    candidate = make_candidate(artifact=replace(artifact, path='a/"x".onnx'))
    assert 'edgevit.load(\n    "a/\\"x\\".onnx"\n)' in load_lines(candidate)


def test_the_lines_load_the_artifact() -> None:
    candidate = make_candidate()
    compile(load_lines(candidate), "report", "exec")
    assert "artifacts/litert-dynamic_wi8_afp32.tflite" in load_lines(candidate)
    assert script_command(candidate) == "python artifacts/use.py photo.jpg"
    failed = make_candidate(artifact=None)
    assert load_lines(failed) == script_command(failed) == ""


def test_a_plan_has_the_command_that_draws_what_it_keeps() -> None:
    passes = (PassRecord("reduce_tokens", "evit:0.7@2,4", 2, 1),)
    run = make_run(make_candidate(passes=passes))
    assert explain_command(run) == (
        "edgevit explain vit_tiny_patch16_224 IMAGE --tokens evit:0.7@2,4 --out seen --json"
    )
    assert explain_command(make_run()) == ""
