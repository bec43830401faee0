"""``edgevit sensitivity`` through the installed command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from pydantic import TypeAdapter

from edgevit.results.sensitivity import SensitivityReport

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).resolve().parents[2]
CNN = [*(f"features.{n}" for n in (0, 3, 7, 10, 14, 17)), "head"]


def edgevit(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    found = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "edgevit", *map(str, arguments)],
        cwd=cwd, env={**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip


def check_layers(layers: list[dict[str, Any]]) -> None:
    """Worst first, with every place in the graph once."""
    known = [layer["snr_db"] for layer in layers if layer["snr_db"] is not None]
    assert known == sorted(known)
    assert all(layer["snr_db"] is None for layer in layers[len(known) :])
    assert sorted(layer["position"] for layer in layers) == list(range(len(layers)))
    assert all(0 <= layer["agreement"] <= 1 and layer["macs"] > 0 for layer in layers)


@pytest.mark.parametrize("backend", ["onnx", "openvino", "tflite"])
def test_a_network_in_static_int8(backend: str, tmp_path: Path) -> None:
    done = edgevit(
        "sensitivity", "digits_cnn", "--calibration", "calibration:digits", "--export", backend,
        "--scheme", "static_wi8_ai8", "--out", "out", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "out" / "sensitivity.json").read_bytes())
    TypeAdapter(SensitivityReport).validate_json(done.stdout)
    assert (tmp_path / "out" / "sensitivity.png").stat().st_size > 10_000
    assert "quantize each layer alone (static_wi8_ai8): done" in done.stderr
    layers = document["layers"]
    check_layers(layers)
    in_order = sorted(layers, key=lambda layer: layer["position"])
    assert [layer["module"] for layer in in_order] == CNN
    assert [layer["kind"] for layer in in_order] == ["conv"] * 6 + ["linear"]
    assert all(20 < layer["snr_db"] < 80 and layer["agreement"] > 0.9 for layer in layers)
    again = edgevit("sensitivity", "digits_cnn", "--calibration", "calibration:digits", "--out", "out", cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert "holds a sensitivity.json already" in again.stderr


def test_a_spec_with_fewer_tokens_and_what_a_scheme_leaves_alone(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text(
        '[model]\nname = "digits_vit"\n[data]\ncalibration = "calibration:digits"\n'
        '[passes]\ntokens = "evit:0.7@2,4"\n[export]\nbackends = ["onnx", "tflite"]\nschemes = ["dynamic_wi8_afp32"]\n'
    )
    done = edgevit("sensitivity", "spec.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("digits_vit-sensitivity-")
    document = json.loads((folder / "sensitivity.json").read_bytes())
    assert (document["backend"], document["spec"]["passes"]["tokens"]) == ("onnxruntime", "evit:0.7@2,4")
    check_layers(document["layers"])
    alone = [layer for layer in document["layers"] if layer["kind"] == "conv"]
    assert [(layer["snr_db"], layer["agreement"]) for layer in alone] == [(None, 1.0)]
    assert f"and {len(document['layers']) - 20} less sensitive layers" in done.stdout
    assert str(folder) in done.stdout
