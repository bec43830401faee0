"""Installs from a wheel: the base install on every Python, light and without torch, and each extra alone in an environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

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


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a file of the bundled model for each runtime."""
    folder = tmp_path_factory.mktemp("exported") / "run"
    done = run(
        sys.executable, "-m", "edgevit", "export", "digits_cnn", "--export", "onnx,openvino,tflite", "--out", folder, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def digit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of a digit, named by its label."""
    from edgevit.data.digits import load_split

    images = load_split("test")
    file = tmp_path_factory.mktemp("image") / f"{int(images.labels[0])}.png"
    Image.fromarray(images.images[0]).save(file)
    return file


def fresh_environment(folder: Path, wheel: Path, extra: str) -> Path:
    """Installs the wheel with an extra into a new environment, whose folder of programs it returns.

    Skips where pip would take PyTorch with CUDA, which is gigabytes that nobody asked for.
    """
    assert run(sys.executable, "-m", "venv", folder).returncode == 0
    programs = folder / "bin"
    only_torch = folder / "constraints.txt"  # an open range takes a newer build for NVIDIA GPUs
    pinned = (line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
    only_torch.write_text("\n".join(pinned))
    if "compress" in extra and run(programs / "python", ROOT / "benchmarks" / "torch_build.py", only_torch).stderr:
        pytest.skip("pip would take PyTorch's build for NVIDIA GPUs; see docs/installing.md")
    wanted = f"edgevit[{extra}] @ {wheel.as_uri()}"
    installed = run(programs / "python", "-m", "pip", "install", "--quiet", "--constraint", only_torch, wanted)
    assert installed.returncode == 0, installed.stderr
    checked = run(programs / "python", "-m", "pip", "check")
    assert checked.returncode == 0, checked.stdout
    return programs


RUNTIMES = {
    "onnx": ("onnxruntime", "model.onnx"),
    "openvino": ("openvino", "model.xml"),
    "tflite": ("litert", "model.tflite"),
}


@pytest.mark.parametrize("extra", RUNTIMES)
def test_a_runtime_alone_runs_files(extra: str, wheel: Path, exported: Path, digit: Path, tmp_path: Path) -> None:
    programs = fresh_environment(tmp_path / "venv", wheel, extra)
    files = {
        name: exported / "artifacts" / backend / "fp32" / "dense" / main for name, (backend, main) in RUNTIMES.items()
    }
    file = files[extra]

    for arguments in (
        ["doctor"],
        ["inspect", file],
        ["bench", file, "--min-seconds", "0"],
        ["eval", file, "--data", "digits", "--samples", "50"],
    ):
        done = run(programs / "edgevit", *arguments, cwd=tmp_path)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    named = json.loads(run(programs / "edgevit", "classify", file, digit, "--json", cwd=tmp_path).stdout)
    assert named["images"][0]["answers"][0]["label"] == digit.stem
    script = run(programs / "python", file.with_name("use.py"), digit, cwd=tmp_path)
    assert script.returncode == 0, script.stderr
    assert script.stdout.splitlines()[1].split()[-1] == digit.stem

    for other in set(RUNTIMES) - {extra}:
        lacking = run(programs / "edgevit", "bench", files[other], cwd=tmp_path)
        assert lacking.returncode == 2, lacking.stderr
        assert f"pip install 'edgevit[{other}]'" in lacking.stderr
    lacking = run(programs / "edgevit", "compress", "digits_vit", "--data", "digits", cwd=tmp_path)
    assert lacking.returncode == 2
    assert "pip install 'edgevit[" in lacking.stderr


def test_pictures_alone(wheel: Path, tmp_path: Path) -> None:
    programs = fresh_environment(tmp_path / "venv", wheel, "report")
    (tmp_path / "run").mkdir()
    shutil.copyfile(ROOT / "tests" / "results" / "old_run.json", tmp_path / "run" / "run.json")
    done = run(programs / "edgevit", "report", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "run").rglob("*.png"))


@pytest.mark.parametrize("extra", RUNTIMES)
def test_one_runtime_alone_makes_files(extra: str, wheel: Path, tmp_path: Path) -> None:
    programs = fresh_environment(tmp_path / "venv", wheel, f"compress-{extra}")
    compress = ("compress", "digits_cnn", "--quick", "--data", "digits", "--calibration", "calibration:digits")
    done = run(programs / "edgevit", *compress, "--export", extra, "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["selected"]
    for other in set(RUNTIMES) - {extra}:
        lacking = run(programs / "edgevit", *compress, "--export", other, "--out", tmp_path / other, cwd=tmp_path)
        assert lacking.returncode == 2, lacking.stderr
        assert f"pip install 'edgevit[compress-{other}]'" in lacking.stderr


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
