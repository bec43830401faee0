"""What Windows lacks is needed by no command of the base install: a child, and its children, have all of it taken away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.data.digits import CLASSES, load_split
from edgevit.results.run import run_to_json
from tests.factories import make_run

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

_TAKEN_AWAY = """
import ctypes, os, signal, subprocess, sys, sysconfig, types
sysconfig.get_config_vars()  # it looks for a file that is named after the platform
subprocess.signal = types.SimpleNamespace(**vars(signal))  # Python's own
for module in ("fcntl", "resource", "torch"):
    sys.modules[module] = None
for name in ("fork", "forkpty", "getloadavg", "sched_getaffinity", "O_NOFOLLOW", "O_CLOEXEC"):
    delattr(os, name)
for name in ("SIGKILL", "SIGALRM", "SIGCHLD", "SIGHUP", "setitimer"):
    delattr(signal, name)
sys.platform = "unknown"
"""
"""A ``sitecustomize``: Python runs it at the start of every process that finds it."""

_IMPORTS = """
import importlib, pkgutil, edgevit
PACKAGES = ("cli", "gate", "report", "results", "run", "spec", "data", "devices", "measure", "units", "errors")
COMMANDS = ("bench", "classify", "clean", "doctor", "eval", "file_errors", "image_pipeline", "inspect", "profile")
NEED_PYTORCH = ("edgevit.devices.captured_graph", "edgevit.devices.ncnn_models", "edgevit.devices.published_models")  # to fit what predicts
names = [f"edgevit.{name}" for name in PACKAGES] + [f"edgevit.commands.{name}" for name in COMMANDS]
names += [f"edgevit.backends.onnxruntime.{name}" for name in ("graph", "session", "op_times")]
for name in names:
    module = importlib.import_module(name)
    for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
        if found.name not in NEED_PYTORCH:
            importlib.import_module(found.name)
"""

_COMMANDS = """
import json, sys
from edgevit.cli.app import run
sys.exit(str([int(run(command)) for command in json.loads(sys.argv[1])]))
"""


def digits_classifier(path: Path) -> None:
    """Writes an ONNX file that tells digits in 0..1 apart by their distance to the mean image of each."""
    train = load_split("train")
    images = train.images.transpose(0, 3, 1, 2).reshape(len(train.labels), -1).astype(np.float32) / 255
    means = np.stack([images[train.labels == digit].mean(axis=0) for digit in range(CLASSES)])
    helper, numpy_helper, kind = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"], transB=1),
    ]
    constants = [
        numpy_helper.from_array(2 * means, "weights"),
        numpy_helper.from_array(-(means**2).sum(axis=1), "bias"),
    ]
    inputs = [helper.make_tensor_value_info("input", kind, [1, 3, 32, 32])]
    outputs = [helper.make_tensor_value_info("logits", kind, [1, CLASSES])]
    graph = helper.make_graph(nodes, "digits", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def without_unix(tmp_path: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_TAKEN_AWAY)
    path = os.pathsep.join(filter(None, (str(tmp_path / "site"), os.environ.get("PYTHONPATH", ""))))
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_module_of_the_base_install_is_imported(tmp_path: Path) -> None:
    done = without_unix(tmp_path, _IMPORTS)
    assert done.returncode == 0, done.stderr


def test_its_commands_do_their_work(tmp_path: Path) -> None:
    file, run = tmp_path / "digits.onnx", tmp_path / "run"
    digits_classifier(file)
    run.mkdir()
    Image.fromarray(load_split("test").images[0]).save(tmp_path / "digit.png")
    (run / "run.json").write_bytes(run_to_json(make_run()))
    (tmp_path / "budget.toml").write_text("size_bytes = 8_000_000\n[devices.host]\nlatency_p50_ms = 99\n")
    quick = ("--min-runs", "50", "--min-seconds", "0")
    commands = [
        ("inspect", file),
        ("bench", file, "--json", *quick),
        ("eval", file, "--data", "digits", "--mean", "0", "--std", "1", "--samples", "100"),
        ("classify", file, tmp_path / "digit.png", "--mean", "0", "--std", "1"),
        ("profile", file, "--device", "raspberry-pi-5"),
        ("gate", run, "--budget", tmp_path / "budget.toml"),
        ("report", run, "--out", tmp_path / "report"),
    ]
    given = json.dumps([[str(each) for each in command] for command in commands])
    done = without_unix(tmp_path, _COMMANDS, given)
    assert done.stderr.splitlines()[-1] == str([0] * len(commands)), done.stderr
    measured, _ = json.JSONDecoder().raw_decode(done.stdout[done.stdout.index("{") :])
    conditions = measured["measurement"]["conditions"]
    assert conditions["load_average"] is None
    assert "context switches" in conditions["not_judged"]
    assert (tmp_path / "report" / "report.md").is_file()


def test_compress_says_that_it_is_not_supported(tmp_path: Path) -> None:
    command = json.dumps([["compress", "digits_vit", "--random-weights", "--out", str(tmp_path / "run")]])
    done = without_unix(tmp_path, _COMMANDS, command)
    assert done.stderr.splitlines()[-1] == "[2]"
    assert "compress, export and finetune are not supported on unknown" in done.stderr
    assert "WSL" in done.stderr
    assert not (tmp_path / "run").exists()
