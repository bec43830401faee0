"""The contract of a backend through ``tflite-runtime``, in a Python that has it and no ``ai-edge-litert``.

``EDGEVIT_TFLITE_RUNTIME_PYTHON`` names that Python, 3.11 at most: ``python3.11 -m venv old && old/bin/pip install tflite-runtime
'numpy<2' pillow pydantic rich typer``, then ``old/bin/python``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgevit.artifacts.result_set import read_result_set
from edgevit.cli.app import run
from edgevit.commands.inspect import inspect_file
from edgevit.commands.parity import ParityQuestion, compare_results
from edgevit.data.digits import load_split
from edgevit.results.document import to_document
from tests.data.pictures import save
from tests.loopback import Loopback

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PYTHON = "EDGEVIT_TFLITE_RUNTIME_PYTHON"


class Old:
    """``edgevit`` in that Python."""

    def __init__(self, python: str, folder: Path) -> None:
        self._python, self._folder = python, folder

    def __call__(self, *arguments: object, code: int = 0) -> Any:
        """Runs a command; returns its JSON document, or what it said where it fails."""
        command = [self._python, "-m", "edgevit", *map(str, arguments), *([] if code else ["--json"])]
        ended = subprocess.run(
            command,
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ended.returncode == code, ended.stderr
        return ended.stderr if code else json.loads(ended.stdout)


@pytest.fixture
def old(tmp_path: Path) -> Old:
    python = os.environ.get(PYTHON)
    if not python:
        pytest.skip(f"{PYTHON} names no Python with tflite-runtime")
    has = "import importlib.util as u, sys; sys.exit(not u.find_spec('tflite_runtime') or bool(u.find_spec('ai_edge_litert')))"
    code = subprocess.run([python, "-I", "-c", has], timeout=60).returncode
    assert code == 0, f"{python} has no tflite-runtime, or has ai-edge-litert too"
    return Old(python, tmp_path)


@pytest.fixture
def int8_file(shared_data: Path) -> Path:
    """An int8 file of others, whose fully connected op has one scale for its weights."""
    return shared_data / "edge_models" / "tflite" / "resnet8_cifar10_int8.tflite"


def test_a_float_file_gives_the_same_outputs(old: Old, digits_files: dict[str, Path], tmp_path: Path) -> None:
    model = digits_files["litert"]
    there = old("eval", model, "--data", "digits", "--samples", 100, "--save-outputs", tmp_path / "old.npz")
    assert (
        run(["eval", str(model), "--data", "digits", "--samples", "100", "--save-outputs", str(tmp_path / "new.npz")])
        == 0
    )
    found = compare_results(ParityQuestion(tmp_path / "new.npz", tmp_path / "old.npz"))
    assert there["accuracy"]["top1"] == found.accuracy.top1_after
    assert (found.samples, found.top1_agreement) == (100, 1.0)
    assert found.max_abs_diff < 1e-3
    assert found.second.origin
    assert "XNNPACK" in found.second.origin.delegate


def test_it_is_measured_inspected_and_classifies(old: Old, digits_files: dict[str, Path], tmp_path: Path) -> None:
    model = digits_files["litert"]
    measured = old("bench", model, "--min-seconds", 0)["measurement"]
    assert measured["latency_ms"]["p50"] > 0
    assert measured["conditions"]["runtime_version"].startswith("2.")
    assert old("inspect", model) == to_document(inspect_file(model))
    split = load_split("test")
    Image.fromarray(split.images[0]).save(tmp_path / "digit.png")
    answer = old("classify", model, tmp_path / "digit.png")
    assert str(int(split.labels[0])) in json.dumps(answer)


def test_an_int8_file_with_one_scale_gives_the_same_outputs(old: Old, int8_file: Path, tmp_path: Path) -> None:
    for number in range(16):
        save(tmp_path / "photos" / f"{number:02d}.png", seed=number, side=32)
    asked = ["--data", str(tmp_path / "photos"), "--mean", "0", "--std", "0.00392157", "--save-outputs"]
    old("eval", int8_file, *asked, tmp_path / "old.npz")
    assert run(["eval", str(int8_file), *asked, str(tmp_path / "new.npz")]) == 0
    found = compare_results(ParityQuestion(tmp_path / "new.npz", tmp_path / "old.npz"))
    assert found.top1_agreement >= 0.98
    assert len(np.unique(read_result_set(tmp_path / "old.npz").logits, axis=0)) > 1, "else the comparison says nothing"


@pytest.mark.parametrize("scheme", ["dynamic_wi8_afp32", "static_wi8_ai8"])
def test_a_file_that_would_be_computed_wrongly_is_refused(
    scheme: str, old: Old, digits_files: dict[str, Path], tmp_path: Path
) -> None:
    pytest.importorskip("ai_edge_quantizer")
    small = tmp_path / "small.tflite"
    given = ["--scheme", scheme, "--calibration", "digits:calibration", "--out", str(small)]
    assert run(["quantize", str(digits_files["litert"]), *given]) == 0
    for command in (("bench", small), ("eval", small, "--data", "digits", "--samples", 10)):
        said = old(*command, code=2)
        assert "FULLY_CONNECTED with a scale for each row" in said
        assert "hint: ai-edge-litert" in said


def test_a_newer_version_of_an_op_is_refused_by_name(old: Old, digits_files: dict[str, Path], tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    model = schema.ModelT.InitFromPackedBuf(digits_files["litert"].read_bytes(), 0)
    for each in model.operatorCodes:
        if max(each.builtinCode, each.deprecatedBuiltinCode) == schema.BuiltinOperator.FULLY_CONNECTED:
            each.version = 12
    builder = Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "new.tflite").write_bytes(bytes(builder.Output()))
    said = old("bench", "new.tflite", code=2)
    assert "new.tflite has FULLY_CONNECTED version 12, which tflite-runtime 2." in said
    assert "hint: ai-edge-litert" in said


def test_it_measures_as_the_runtime_of_a_board(
    old: Old, loopback: Loopback, digits_files: dict[str, Path], int8_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = ["--on", "board", "--python", os.environ[PYTHON], "--json"]
    for file in (digits_files["litert"], int8_file):
        assert run(["bench", str(file), "--min-seconds", "0", *board]) == 0
        measurement = json.loads(capsys.readouterr().out)["measurement"]
        assert measurement["conditions"]["runtime_version"].endswith(" (tflite-runtime)")
        assert measurement["latency_ms"]["p50"] > 0
    assert run(["bench", str(digits_files["litert"]), str(int8_file), *board]) == 0
    assert len(json.loads(capsys.readouterr().out)["comparison"]["files"]) == 2
    assert loopback.is_quiet()
