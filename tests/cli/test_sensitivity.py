"""``edgevit sensitivity``: what it prints, and what it refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

from rich.console import Console

from edgevit.cli import app, render
from edgevit.commands import sensitivity as command
from edgevit.results.document import to_json
from edgevit.results.sensitivity import SensitivityReport
from edgevit.run.progress import Progress
from edgevit.spec.spec import Spec
from tests.factories import make_layer, make_sensitivity_report

Call = Callable[..., tuple[int, str, str]]
COMMAND = ("sensitivity", "digits_vit", "--calibration", "calibration:digits")
MANY = [make_layer(n, 20.0 + n, 0.5 if n == 0 else 1.0) for n in range(24)] + [make_layer(24, None, module="")]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process; returns its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = app.run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Spec, Path]]:
    """Takes the place of the work; keeps what was asked for."""
    questions: list[tuple[Spec, Path]] = []

    def answer(spec: Spec, out: Path, progress: Progress) -> SensitivityReport:
        questions.append((spec, out))
        return make_sensitivity_report(*MANY, notes=("random weights",))

    monkeypatch.setattr(command, "analyse", answer)
    return questions


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sensitivity", "digits_vit"], "layers are compared on calibration images, and there are none"),
        ([*COMMAND, "--export", "onnx,tflite"], "--export 'onnx,tflite': give exactly one"),
        ([*COMMAND, "--export", ""], "the value of --export is empty"),
        ([*COMMAND, "--export", "tfl"], "unknown backend: 'tfl'"),
        ([*COMMAND, "--scheme", "static_wi8_ai8,fp32"], "--scheme 'static_wi8_ai8,fp32': give exactly one"),
        ([*COMMAND, "--scheme", "int8"], "command line"),
        ([*COMMAND, "--export", "openvino", "--scheme", "dynamic_wi8_afp32"], "OpenVINO has no scheme"),
        ([*COMMAND, "--scheme", "fp32"], "fp32: no layer is quantized to integers"),
        ([*COMMAND, "--tokens", "evit:1.5@1"], "command line"),
        ([*COMMAND, "--threads", "0"], "invalid value for"),
        (["sensitivity", "nowhere.toml"], "no such file: nowhere.toml"),
        (["sensitivity", "digits_vit", "--calibration", "nowhere"], "no such image source: nowhere"),
    ],
)
def test_exit_2_for_wrong_input(arguments: list[str], message: str, call: Call, tmp_path: Path) -> None:
    code, out, err = call(*arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert not (tmp_path / "out").exists()


def test_options_become_a_spec(asked: list[tuple[Spec, Path]], call: Call, tmp_path: Path) -> None:
    more = ("--export", "tflite", "--scheme", "weight_only_wi8_afp32", "--tokens", "evit:0.7@2", "--threads", "2")
    settings = ("--set", "seed=3", "--set", "data.calibration_samples=8", "--random-weights", "--out", tmp_path)
    assert call(*COMMAND, *more, *settings)[0] == 0
    ((spec, out),) = asked
    assert out == tmp_path
    assert spec.model.random_weights
    assert (spec.export.backends, spec.export.schemes) == (("tflite",), ("weight_only_wi8_afp32",))
    assert (spec.passes.tokens, spec.measure.threads, spec.seed) == ("evit:0.7@2", 2, 3)
    assert (spec.data.calibration, spec.data.calibration_samples) == ("calibration:digits", 8)


def test_the_worst_twenty_and_how_many_more(asked: list[tuple[Spec, Path]], call: Call, tmp_path: Path) -> None:
    code, out, _ = call(*COMMAND, "--out", tmp_path)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].startswith("digits_vit: each of 25 layers alone in static_wi8_ai8 (min max), litert, against")
    assert lines[2].split() == ["layer", "module", "kind", "MACs", "SNR", "agreement"]
    rows = [line.split() for line in lines[4:24]]
    assert rows[0] == ["op_0", "blocks.0.fc", "linear", "1.00", "M", "20.0", "dB", "50.0", "%"]
    assert [row[0] for row in rows] == [f"op_{n}" for n in range(20)]
    assert lines[24] == "and 5 less sensitive layers: sensitivity.json has all"
    assert lines[25:27] == ["note: only 2 calibration images", "note: random weights"]
    assert lines[27] == f"written: {tmp_path}"


def test_json_is_the_document_alone(asked: list[tuple[Spec, Path]], call: Call, tmp_path: Path) -> None:
    code, out, _ = call(*COMMAND, "--out", tmp_path, "--json")
    assert code == 0
    assert json.loads(out) == json.loads(to_json(make_sensitivity_report(*MANY, notes=("random weights",))))


@pytest.mark.parametrize("columns", [120, 80, 50])
def test_the_table_fits(columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def make(stream: object = None) -> Console:
        return Console(file=sys.stdout, width=columns, markup=False, highlight=False, color_system=None)

    monkeypatch.setattr("edgevit.cli.terminal.console", make)
    name = "convolution_12/aten.convolution.default/Convolution"
    render.print_sensitivity(
        make_sensitivity_report(make_layer(0, None, name=name, module="")), Path("out/sensitivity.json")
    )
    table = capsys.readouterr().out.splitlines()[2:-2]
    assert max(map(len, table)) <= columns
    assert name in "".join(line.split()[0] for line in table[2:] if line and "not shown" not in line)
    assert "identical" in "".join(table)
