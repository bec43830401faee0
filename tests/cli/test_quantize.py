"""``edgevit quantize``: what it prints, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from edgevit.backends import get_backend  # noqa: E402
from edgevit.cli import app as app_module  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

DIGITS = load_model(ModelSpec(name="digits_cnn"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return get_backend("onnxruntime").export(capture(DIGITS.module, DIGITS.preprocessing.input_size), tmp_path)


def run(*arguments: str) -> int:
    return app_module.run(["quantize", *arguments])


def contract() -> tuple[str, ...]:
    mean, std = (",".join(map(str, each)) for each in (DIGITS.preprocessing.mean, DIGITS.preprocessing.std))
    return ("--mean", mean, "--std", std, "--calibration", "digits:calibration")


def test_it_tells_what_the_int8_file_lost(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(file), *contract(), "--data", "digits") == 0
    printed = capsys.readouterr().out
    assert "model.int8.onnx: static_wi8_ai8, top-1" in printed
    assert "× smaller" in printed
    assert file.with_suffix(".int8.onnx").is_file()


def test_json_is_one_document(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(file), *contract(), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["scheme"] == "static_wi8_ai8"
    assert document["attempts"][0]["rung"] == "policy"


def test_a_file_of_unknown_normalization_is_bad_usage(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(file), "--calibration", "digits:calibration") == 2
    assert "give --mean and --std" in capsys.readouterr().err
