"""The command line of ``edgevit recommend``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli import app, recommend
from edgevit.results.run import run_to_json
from tests.factories import make_run


def test_the_json_document_says_what_was_asked_and_answered(capsys: pytest.CaptureFixture[str]) -> None:
    line = "recommend --images 50k --pretraining none --resolution 4k --memory 16MB --shift --explanations --json"
    assert app.run(line.split()) == 0
    document = json.loads(capsys.readouterr().out)
    asked = document["situation"]
    assert (asked["images"], asked["pretraining"], asked["resolution"]) == (50_000, "none", [2160, 3840])
    assert (asked["memory_bytes"], asked["shift"], asked["explanations"]) == (16e6, True, True)
    assert document["family"] == "cnn"
    assert {"text", "basis", "source", "families", "strength", "topic"} == set(document["reasons"][0])


def test_a_run_is_among_the_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_bytes(run_to_json(make_run()))
    assert app.run(["recommend", "--run", str(tmp_path)]) == 0
    assert "vit_tiny_patch16_224 (ViT): 82.5 %" in capsys.readouterr().out


def test_it_ends_with_1_where_nothing_is_possible(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["recommend", "--device", "raspberry-pi-zero-2-w", "--max-latency", "0.5ms"]) == 1
    assert "start from: none is possible" in capsys.readouterr().out


def test_the_options_are_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert recommend.recommend.__doc__
    assert app.run(["recommend", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(option in text for option in ("--images", "--pretraining", "--max-latency", "--fine-detail", "--run"))
