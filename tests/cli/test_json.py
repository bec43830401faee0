"""Every command has ``--json``, and prints one JSON document on stdout with it, and nothing else there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from _pytest.mark.structures import ParameterSet

from edgevit.artifacts.result_set import write_result_set
from edgevit.cli import app as app_module
from edgevit.results.run import run_to_json
from edgevit.store.store import open_store
from tests.factories import make_realistic_run, make_result_set
from tests.loopback import PYTHON
from tests.store.test_upkeep import used

FAST = {
    "init": "init digits_cnn --out new.toml",
    "compare": "compare run run --candidate litert/fp32 --other openvino/fp32",
    "parity": "parity a.npz b.npz",
    "gate": "gate run --budget budget.toml",
    "budget init": "budget init run --out new.toml",
    "budget explain": "budget explain budget.toml run",
    "report": "report run --out written",
    "card": "card run --license mit",
    "models": "models digits*",
    "schemes": "schemes",
    "profiles": "profiles",
    "profiles list": "profiles list",
    "profiles show": "profiles show raspberry-pi-5",
    "calibration": "calibration",
    "calibration list": "calibration list",
    "calibration make": "calibration make digits:train --out set.toml --count 20",
    "calibration check": "calibration check calibration:digits",
    "devices": "devices",
    "devices list": "devices list",
    "devices show": "devices show raspberry-pi-5",
    "schema": "schema run",
    "recommend": "recommend --images 5000 --device raspberry-pi-5 --max-latency 30ms",
    "cluster certificate": "cluster certificate new",
    "store ls": "store ls kept",
    "store gc": "store gc kept --keep-runs 1",
    "store verify": "store verify kept",
}
SLOW = {
    "compress": "compress digits_cnn --data digits --samples 20 --calibration digits:calibration --export onnx --quick",
    "search": "search digits_cnn --data digits --samples 20 --calibration digits:calibration --export onnx --tokens none"
    " --finetune none --trials 2 --max-drop 100",
    "export": "export digits_cnn --export onnx",
    "distill": "distill digits_cnn --train digits:calibration --set distill.augmentation.views=none",
    "finetune": "finetune digits_cnn --data digits --samples 40 --calibration digits:train --export onnx"
    " --set finetune.images_seen=64 --set data.calibration_samples=32",
    "quantize": "quantize {model} --calibration digits:calibration --out small.onnx",
    "bench": "bench {model} --min-seconds 0",
    "inspect": "inspect {model}",
    "eval": "eval {model} --data digits --samples 20",
    "classify": "classify {model} photo.png",
    "profile": "profile {model} --device raspberry-pi-5",
    "reduce-tokens": "reduce-tokens digits_vit --tokens tome:8",
    "sensitivity": "sensitivity digits_cnn --calibration calibration:digits --export onnx",
    "explain": "explain digits_vit digits-0010",
    "clean": "clean run",
    "doctor": "doctor",
    "devices validate": "devices validate rows.csv",
    "devices compare": "devices compare raspberry-pi-5 {model}=12ms",
    "devices calibrate": "devices calibrate --runtimes tflite --minutes 0.5 --force",
}
"""Commands that run a model, or a cost model."""
TAKES_MINUTES = {"devices fit"}
"""For developers; see ``tests/commands/test_devices.py``."""
ENDLESS = {"worker", "cluster start", "cluster status"}
"""They serve, or look at what serves; see ``tests/cluster/test_engine.py``."""


def commands() -> dict[str, Any]:
    """Every command by name, also groups that do something without one of their commands."""
    found: dict[str, Any] = {}
    root = typer.main.get_command(app_module.make_app())
    waiting = [(name, command) for name, command in root.commands.items()]  # type: ignore[attr-defined]
    while waiting:
        name, command = waiting.pop()
        inner = getattr(command, "commands", {})
        waiting += [(f"{name} {each}", below) for each, below in inner.items()]
        if not inner or command.invoke_without_command:
            found[name] = command
    return found


def lines() -> Iterator[ParameterSet]:
    yield from (pytest.param(line, id=name) for name, line in FAST.items())
    yield from (pytest.param(line, id=name, marks=pytest.mark.slow) for name, line in SLOW.items())
    yield pytest.param(
        "profile {model} --device raspberry-pi-5 --layers", id="profile --layers", marks=pytest.mark.slow
    )
    yield pytest.param(
        f"bench {{model}} --min-seconds 0 --on board --python {PYTHON}", id="bench --on", marks=pytest.mark.slow
    )
    yield pytest.param(
        f"eval {{model}} --data digits --samples 5 --on board --python {PYTHON}",
        id="eval --on",
        marks=pytest.mark.slow,
    )
    yield pytest.param("bench {model} --layers", id="bench --layers", marks=pytest.mark.slow)
    yield pytest.param("compress digits_cnn --export onnx --dry-run", id="compress --dry-run", marks=pytest.mark.slow)


def test_every_command_has_the_option() -> None:
    without = [
        name
        for name, command in commands().items()
        if not any("--json" in parameter.opts for parameter in command.params)
    ]
    assert without == []


def test_every_command_is_tried() -> None:
    assert {*FAST, *SLOW} == set(commands()) - TAKES_MINUTES - ENDLESS


@pytest.mark.parametrize("line", list(lines()))
def test_stdout_is_one_document(
    line: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_bytes(run_to_json(make_realistic_run()))
    (run / "begin.json").write_text('{"spec_sha256": "ab"}')
    (tmp_path / "budget.toml").write_text("size_bytes = 1")
    (tmp_path / "rows.csv").write_text(
        "id,device,soc,unit,runtime,runtime_version,precision,threads,batch,model,timm_name,input_hw,latency_ms,date,"
        "source_repo_or_page,note\n"
        "a,Raspberry Pi 4B,BCM2711,cpu,TFLite,,fp32,,1,MobileNetV1,mobilenetv1_100,224x224,90,,,\n"
    )
    for name in ("a.npz", "b.npz"):
        write_result_set(tmp_path / name, make_result_set(("x",), [[1.0, 0.0]]))
    Image.new("RGB", (32, 32)).save(tmp_path / "photo.png")
    if line.startswith("store"):
        used(open_store("kept"), tmp_path, "1", b"content")
    if "--on board" in line:
        request.getfixturevalue("loopback")
    model = request.getfixturevalue("digits_files")["onnxruntime"] if "{model}" in line else None
    capfd.readouterr()
    code = app_module.run([*shlex.split(line.format(model=model)), "--json"])
    said = capfd.readouterr()
    assert code in (0, 1), said.err
    document = json.loads(said.out)
    assert isinstance(document, dict | list) and document


def test_a_group_takes_the_option_after_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run(["devices", "--json", "list"]) == 2
    assert "give it after the command: list --json" in capsys.readouterr().err
