"""A package that is not there is exit 2 with the extra that brings it, wherever it is asked for: here or in a child process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from edgevit.commands.probes import probe_path
from edgevit.results.run import run_to_json
from tests.factories import make_run

_PROFILE = ("--device", "raspberry-pi-5")
_MADE = ("digits_cnn", "--random-weights")


def without(tmp_path: Path, missing: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a command in whose processes none of some modules, separated by blanks, can be imported."""
    site = tmp_path / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({missing.split()!r}))\n")
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH", ""))))
    return subprocess.run(
        [sys.executable, "-c", "from edgevit.cli.app import main; main()", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], missing: str, extra: str) -> None:
    assert done.returncode == 2, done.stderr
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert f"{missing.partition(' ')[0]} is not installed" in error.replace("-", "_")
    assert hint.startswith("hint: ")
    assert f"pip install 'edgevit[{extra}]'" in hint


@pytest.mark.parametrize(
    ("missing", "command", "suffix", "options", "extra"),
    [
        ("onnxruntime", "bench", ".onnx", (), "onnx"),
        ("onnxruntime", "classify", ".onnx", ("digit.png", "--mean", "0", "--std", "1"), "onnx"),
        ("onnx", "inspect", ".onnx", (), "onnx"),
        ("openvino", "bench", ".xml", ("--op-times",), "openvino"),
        ("openvino", "profile", ".xml", _PROFILE, "openvino"),
        ("ai_edge_litert tflite_runtime", "bench", ".tflite", (), "tflite"),
    ],
)
def test_a_missing_runtime(
    missing: str, command: str, suffix: str, options: tuple[str, ...], extra: str, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "digit.png")
    assert_refused(without(tmp_path, missing, command, probe_path(suffix), *options), missing, extra)


@pytest.mark.parametrize("command", ["compress", "export", "finetune", "reduce-tokens", "sensitivity", "explain"])
def test_without_pytorch_nothing_is_made(command: str, tmp_path: Path) -> None:
    given = {
        "finetune": ("--tokens", "evit:0.5@2", "--export", "onnx", "--train", "digits:train"),
        "reduce-tokens": ("--tokens", "evit:0.5@2", "--out", "reduced.pt2"),
        "sensitivity": ("--calibration", "digits:calibration", "--export", "onnx"),
    }.get(command, ())
    images = ("digits-0010",) if command == "explain" else ()
    assert_refused(without(tmp_path, "torch", command, "digits_vit", *images, *given), "torch", "compress")


def test_a_report_without_matplotlib_has_no_picture_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(run_to_json(make_run()))
    done = without(tmp_path, "matplotlib", "report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "pip install 'edgevit[report]'" in done.stderr
    assert (tmp_path / "report.md").is_file()
    assert not (tmp_path / "report.png").exists()


def test_a_report_without_bokeh_has_no_html_page_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(run_to_json(make_run()))
    done = without(tmp_path, "bokeh", "report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report without report.html: bokeh is not installed; pip install 'edgevit[report]'" in " ".join(
        done.stderr.split()
    )
    assert (tmp_path / "report.md").is_file()
    assert not (tmp_path / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "options", "extra"),
    [
        ("onnxscript", ("--export", "onnx"), "compress-onnx"),
        ("nncf", ("--export", "openvino"), "compress-openvino"),
        ("litert_torch", ("--export", "tflite"), "compress-tflite"),
        ("timm", ("--export", "onnx"), "compress"),
    ],
)
def test_a_format_whose_tools_are_missing_is_refused(
    missing: str, options: tuple[str, ...], extra: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    model = ("vit_tiny_patch16_224", "--random-weights") if missing == "timm" else _MADE
    assert_refused(without(tmp_path, missing, "export", *model, *options), missing, extra)
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.slow
def test_a_runtime_needs_none_of_the_others(tmp_path: Path) -> None:
    pytest.importorskip("nncf")
    others = (
        "onnx onnxruntime onnxscript ai_edge_litert tflite_runtime litert_torch ai_edge_quantizer matplotlib sklearn"
    )
    done = without(
        tmp_path, others, "compress", "digits_cnn", "--data", "digits", "--samples", "50", "--calibration",
        "digits:calibration", "--export", "openvino", "--set", "measure.min_seconds=0", "--out", "run",
    )  # fmt: skip
    assert (tmp_path / "run" / "report.md").is_file(), done.stderr
    assert done.returncode in (0, 1), done.stderr
