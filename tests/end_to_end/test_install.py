"""The base install, from a wheel, on every Python: light, without torch, with its shipped files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
HEAVY = ("torch", "timm", "onnx", "onnxruntime", "openvino", "nncf", "ai_edge_litert", "numpy")


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("edgevit-*.whl"))


@pytest.mark.parametrize("version", VERSIONS)
def test_base_install(version: str, wheel: Path, tmp_path: Path) -> None:
    interpreter = shutil.which(f"python{version}")
    if interpreter is None or run(interpreter, "-c", "").returncode != 0:
        pytest.skip(f"no Python {version} on this machine")
    assert run(interpreter, "-m", "venv", tmp_path / "venv").returncode == 0
    python, edgevit = tmp_path / "venv" / "bin" / "python", tmp_path / "venv" / "bin" / "edgevit"
    installed = run(python, "-m", "pip", "install", "--quiet", wheel)
    assert installed.returncode == 0, installed.stderr

    for arguments in (["--help"], ["devices", "list"], ["profiles"], ["schema", "run"], ["compress", "--help"]):
        done = run(edgevit, *arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert "raspberry-pi-5" in run(edgevit, "devices", "list", cwd=tmp_path).stdout

    code = f"import sys, json; from edgevit.cli.app import run; run(['--help']); print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    loaded = run(python, "-c", code, cwd=tmp_path)
    assert json.loads(loaded.stdout.splitlines()[-1]) == []

    judged = tmp_path / "run"
    judged.mkdir()
    shutil.copyfile(ROOT / "tests" / "results" / "old_run.json", judged / "run.json")
    (tmp_path / "budget.toml").write_text("accuracy_drop_points = 1.0\n[devices.host]\nlatency_p50_ms = 1000\n")
    for arguments in (["gate", judged, "--budget", tmp_path / "budget.toml"], ["report", judged]):
        done = run(edgevit, *arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
    assert (judged / "report.md").is_file()

    lacking = run(edgevit, "compress", "digits_vit", "--data", "digits", cwd=tmp_path)
    assert lacking.returncode == 2
    assert "pip install 'edgevit[" in lacking.stderr
