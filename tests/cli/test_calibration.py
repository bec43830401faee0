"""``edgevit calibration``: what it prints, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli import app as app_module


def test_make_and_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert app_module.run(["calibration", "make", "digits:train", "--out", "set.toml", "--count", "40"]) == 0
    assert "set.toml: 40 images of 10 classes from digits:train" in capsys.readouterr().out
    assert app_module.run(["calibration", "check", "set.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == 10


def test_a_doubtful_set_fails_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run(["calibration", "check", "noise:8"]) == 1
    assert "warning: " in capsys.readouterr().err


def test_the_shipped_ones_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run(["calibration"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("calibration:digits", "calibration:flowers5", "calibration:imagenet-val"))
