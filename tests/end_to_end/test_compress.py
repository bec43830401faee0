"""The main path, :mod:`edgevit.pipeline.compress`, by the installed command: completed, stopped, resumed, refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from edgevit.backends import get_backend  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = ("--data", "digits", "--samples", "40", "--set", "measure.min_seconds=0")
"""Few images and the fewest runs: figures mean nothing here, their presence does."""
COMMAND = ("compress", "digits_vit", *QUICK, "--export", "onnx", "--scheme", "dynamic_wi8_afp32", "--max-drop", "100")


def environment(**changes: str) -> dict[str, str]:
    found = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1", **changes}


def start(arguments: Sequence[object], cwd: Path, **options: Any) -> subprocess.Popen[str]:
    """Starts the command, as a shell would."""
    return subprocess.Popen(
        [sys.executable, "-m", "edgevit", *map(str, arguments)],
        cwd=cwd, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def edgevit(*arguments: object, cwd: Path, seconds: float = 500, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, for so long at most."""
    process = start(arguments, cwd, **options)
    out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run_document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())  # type: ignore[no-any-return]


def outcome(folder: Path) -> list[tuple[Any, ...]]:
    """What of a run does not depend on the clock: candidates, digests of their files, accuracy, verification.

    Whether a candidate is slower than its parent is a measurement, so its status is left out unless it failed.
    """
    return [
        (
            candidate["id"], candidate["status"] == "failed", candidate["artifact"] and candidate["artifact"]["sha256"],
            candidate["accuracy"], candidate["verification"],
        )
        for candidate in run_document(folder)["candidates"]
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def finished(home: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A whole quick run on one backend, with --json and a prediction."""
    done = edgevit(*COMMAND, "--device", "raspberry-pi-5", "--out", home / "run", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "run", done


Finished = tuple[Path, subprocess.CompletedProcess[str]]


def test_json_is_one_document_and_the_run(finished: Finished) -> None:
    folder, done = finished
    assert json.loads(done.stdout) == run_document(folder)
    assert "\x1b" not in done.stderr


def test_a_run_is_what_its_schema_says(finished: Finished, home: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(edgevit("schema", "run", cwd=home).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(run_document(finished[0]), schema)


FIELDS = {
    "": "schema_version edgevit_version created_at seed spec spec_sha256 host tool_versions baseline candidates selected stages"
    " selected_for tied",
    "host": "cpu cores isa memory_bytes os governor threads",
    "baseline": "top1 samples params macs latency_ms top1_interval ece top1_file",
    "stages.0": "name seconds status",
    "candidates.1": "id backend format scheme passes artifact verification accuracy measurements predictions status reasons"
    " latency speed_up speed_up_interval top1_file",
    "candidates.1.artifact": "path sha256 size_bytes inputs outputs preprocessing int8_mac_share macs params",
    "candidates.1.artifact.inputs.0": "name shape dtype layout",
    "candidates.1.verification": "max_abs_diff max_rel_diff snr_db top1_agreement samples passed",
    "candidates.1.accuracy": "top1 top5 samples drop_points top1_interval drop_interval ece changed_classes",
    "candidates.1.latency": "p50_ms interval_ms bursts_ms repeated_bursts unstable",
    "candidates.1.measurements.0": "source device latency_ms samples_ms load_ms first_run_ms peak_rss_bytes rss_delta_bytes threads conditions",
    "candidates.1.measurements.0.latency_ms": "min p50 p90 p99",
    "candidates.1.predictions.0": "source device latency_ms peak_memory_bytes basis unsupported_ops"
    " peak_tensor_bytes peak_rss_bytes",
    "candidates.1.predictions.0.latency_ms": "p50 low high",
}
"""The contract of DESIGN.md."""


@pytest.mark.parametrize("place", FIELDS)
def test_every_field_of_the_contract_is_there(finished: Finished, place: str) -> None:
    part: Any = run_document(finished[0])
    for key in filter(None, place.split(".")):
        part = part[int(key) if key.isdigit() else key]
    missing = set(FIELDS[place].split()) - set(part)
    assert not missing


def test_a_run_tells_what_was_asked_and_found(finished: Finished) -> None:
    folder, _ = finished
    run = run_document(folder)
    assert [candidate["id"] for candidate in run["candidates"]] == [
        "onnxruntime/fp32/dense",
        "onnxruntime/dynamic_wi8_afp32/dense",
    ]
    assert run["selected"] in [candidate["id"] for candidate in run["candidates"] if candidate["status"] == "ok"]
    assert run["selected_for"] == {"raspberry-pi-5": run["selected"]}
    rows = (folder / run["candidates"][1]["top1_file"]).read_text().splitlines()
    assert rows[0] == "id,label,top1,probability"
    assert len(rows) == 41
    assert run["spec"]["data"] == {
        "evaluation": "digits", "calibration": None, "train": None, "samples": 40, "calibration_samples": None,
        "class_offset": None, "also_evaluate": [], "masks": None,
    }  # fmt: skip
    assert run["spec"]["budget"]["max_drop"] == 100
    assert run["baseline"]["samples"] == 40
    assert run["baseline"]["top1"] > 0.5
    assert {stage["status"] for stage in run["stages"]} == {"done"}
    float_one, int8 = run["candidates"]
    assert float_one["verification"]["passed"]
    assert float_one["verification"]["max_rel_diff"] <= 1e-4
    assert float_one["accuracy"]["top1"] == run["baseline"]["top1"]
    assert float_one["artifact"]["int8_mac_share"] == 0 < int8["artifact"]["int8_mac_share"] <= 1
    assert len(float_one["measurements"][0]["samples_ms"]) >= 50
    for candidate in run["candidates"]:
        digest = hashlib.sha256()
        for name in candidate["artifact"]["files"]:
            digest.update((folder / name).read_bytes())
        assert digest.hexdigest() == candidate["artifact"]["sha256"]
    assert (folder / "report.md").is_file()


def test_a_finished_run_is_neither_overwritten_nor_made_again(finished: Finished, home: Path) -> None:
    folder, _ = finished
    before = run_document(folder)
    arguments = (*COMMAND, "--device", "raspberry-pi-5", "--out", folder)
    refused = edgevit(*arguments, cwd=home)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "holds this run already" in refused.stderr
    other = edgevit(*arguments, "--resume", "--set", "seed=5", cwd=home)
    assert other.returncode == 2
    assert "belongs to another spec; it differs in seed" in other.stderr
    assert run_document(folder) == before


@pytest.mark.slow
def test_a_finished_run_is_resumed_from_its_files_alone(finished: Finished, home: Path) -> None:
    folder, _ = finished
    before = run_document(folder)
    again = edgevit(*COMMAND, "--device", "raspberry-pi-5", "--out", folder, "--resume", cwd=home)
    assert again.returncode == 0, again.stderr
    assert run_document(folder) == before


def artifact_of(folder: Path, scheme: str = "dynamic_wi8_afp32") -> Path:
    return folder / "artifacts" / "onnxruntime" / scheme / "dense" / "model.onnx"


def test_eval_of_an_artifact_repeats_its_accuracy(finished: Finished, home: Path) -> None:
    folder, _ = finished
    done = edgevit("eval", artifact_of(folder, "fp32"), "--data", "digits", "--samples", "40", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"]["top1"] == run_document(folder)["candidates"][0]["accuracy"]["top1"]


def test_inspect_of_an_artifact_agrees_with_the_run(finished: Finished, home: Path) -> None:
    folder, _ = finished
    done = edgevit("inspect", artifact_of(folder), "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    found, artifact = json.loads(done.stdout), run_document(folder)["candidates"][1]["artifact"]
    for key in ("macs", "params", "int8_mac_share", "size_bytes"):
        assert found[key] == artifact[key]
    plain = edgevit("inspect", artifact_of(folder), cwd=home)
    assert plain.returncode == 0
    assert plain.stdout


@pytest.mark.slow
def test_bench_and_profile_of_an_artifact(finished: Finished, home: Path) -> None:
    path = artifact_of(finished[0])
    bench = edgevit("bench", path, "--min-seconds", "0", "--json", cwd=home)
    assert bench.returncode == 0, bench.stderr
    measurement = json.loads(bench.stdout)["measurement"]
    assert (measurement["source"], len(measurement["samples_ms"])) == ("measured", 50)
    profile = edgevit("profile", path, "--device", "raspberry-pi-5", "--json", cwd=home)
    assert profile.returncode == 0, profile.stderr
    prediction = json.loads(profile.stdout)["predictions"][0]
    assert prediction["source"] == "predicted"
    assert prediction["latency_ms"] == run_document(finished[0])["candidates"][1]["predictions"][0]["latency_ms"]


@pytest.mark.slow
def test_export_makes_the_same_artifact_without_measuring(finished: Finished, home: Path) -> None:
    done = edgevit("export", "digits_vit", "--export", "onnx", "--out", home / "export", "--json", cwd=home)
    assert done.returncode == 0, done.stderr
    (candidate,) = json.loads(done.stdout)["candidates"]
    assert (candidate["status"], candidate["measurements"]) == ("ok", [])
    mine, other = home / "export" / candidate["artifact"]["path"], artifact_of(finished[0], "fp32")
    assert onnx.load(mine).graph.SerializeToString() == onnx.load(other).graph.SerializeToString()
    carried, others = get_backend("onnx").read_contract(mine), get_backend("onnx").read_contract(other)
    assert carried is not None
    assert others is not None
    assert carried == replace(others, spec_sha256=carried.spec_sha256)
    assert carried.spec_sha256 == json.loads(done.stdout)["spec_sha256"] != others.spec_sha256


@pytest.mark.slow
def test_gate_judges_the_run(finished: Finished, home: Path) -> None:
    (home / "good.toml").write_text("size_bytes = 50_000_000\n")
    (home / "bad.toml").write_text("size_bytes = 1\n")
    assert edgevit("gate", finished[0], "--budget", "good.toml", cwd=home).returncode == 0
    assert edgevit("gate", finished[0], "--budget", "bad.toml", cwd=home).returncode == 1


# --- stopped and resumed ---------------------------------------------------------------------------------------------


def wait_for(process: subprocess.Popen[str], there: Callable[[], bool]) -> None:
    """Waits until a condition holds; the process has to be running then."""
    deadline = time.monotonic() + 240
    while not there():
        assert process.poll() is None, (
            f"it ended before it could be stopped:\n{process.stderr and process.stderr.read()}"
        )
        assert time.monotonic() < deadline
        time.sleep(0.005)


MOMENTS = {
    "the folder was locked": ".lock",
    "the beginning was written": "begin.json",
    "the program is being captured": "work/*",
    "the program was captured": "stages/capture original.json",
    "PyTorch was measured": "stages/measure original in PyTorch.json",
    "an artifact is being written": "artifacts/onnxruntime/fp32/*.partial",
    "the artifact was recorded": "stages/export onnxruntime--fp32--dense.json",
    "the program was prepared for int8": "stages/export onnxruntime--dense *.json",
    "another is being quantized": "work/attempts/onnxruntime/dynamic_wi8_afp32/dense/*.partial",
    "it was quantized": "stages/quantize *.json",
    "the best attempt was kept": "stages/keep onnxruntime--dynamic_wi8_afp32--dense.json",
    "it was evaluated": "stages/evaluate onnxruntime--dynamic_wi8_afp32--dense.json",
    "it was measured": "stages/measure onnxruntime--dynamic_wi8_afp32--dense.json",
    "the run was written": "run.json",
}


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_was_killed_ends_with_the_same_result(finished: Finished, tmp_path: Path, moment: str) -> None:
    folder = tmp_path / "run"
    arguments = (*COMMAND, "--device", "raspberry-pi-5", "--out", folder)
    process = start(arguments, tmp_path)
    wait_for(process, lambda: any(folder.glob(MOMENTS[moment])))
    process.kill()
    process.communicate()
    resumed = edgevit(*arguments, "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert outcome(folder) == outcome(finished[0])
    assert not list(folder.rglob("*.partial"))
    assert not list(folder.rglob("*.tmp"))


@pytest.mark.slow
def test_a_run_that_was_killed_again_and_again_ends_with_the_same_result(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = (*COMMAND, "--device", "raspberry-pi-5", "--out", folder)
    process = start(arguments, tmp_path)
    wait_for(process, (folder / "begin.json").exists)
    for seconds in (1.0, 2.0, 3.0, 5.0, 8.0):
        time.sleep(seconds)
        process.kill()
        process.communicate()
        process = start((*arguments, "--resume"), tmp_path)
    process.communicate()
    assert process.returncode == 0
    assert outcome(folder) == outcome(finished[0])


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_can_be_resumed(finished: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = (*COMMAND, "--device", "raspberry-pi-5", "--out", folder)
    for moment, resume in (
        ("stages/capture original.json", []),
        ("artifacts/onnxruntime/fp32/*.partial", ["--resume"]),
    ):
        process = start((*arguments, *resume), tmp_path, start_new_session=True)
        wait_for(process, lambda moment=moment: any(folder.glob(moment)))  # type: ignore[misc]
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the children too
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "interrupted" in err
        assert "Traceback" not in err
        assert not (folder / "run.json").exists()
    resumed = edgevit(*arguments, "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert outcome(folder) == outcome(finished[0])


def limit_file_size(limit: int) -> Callable[[], None]:
    """Lets every file grow to ``limit`` bytes and no further, as if the disk were full."""

    def apply() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return apply


@pytest.mark.slow
@pytest.mark.parametrize("limit", [200, 3_000, 100_000, 450_000])
def test_a_full_disk_ends_with_2_and_can_be_resumed(finished: Finished, tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "run"
    arguments = (*COMMAND, "--device", "raspberry-pi-5", "--out", folder)
    full = edgevit(*arguments, cwd=tmp_path, preexec_fn=limit_file_size(limit))
    assert full.returncode == 2, full.stderr
    assert "is full" in full.stderr
    assert "--resume" in full.stderr
    assert not (folder / "run.json").exists()
    resumed = edgevit(*arguments, "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert outcome(folder) == outcome(finished[0])


@pytest.mark.slow
def test_a_folder_of_another_run_is_refused_before_anything_heavy(finished: Finished, home: Path) -> None:
    begin = time.monotonic()
    refused = edgevit(*COMMAND, "--scheme", "fp32", "--out", finished[0], cwd=home)
    assert refused.returncode == 2
    assert "belongs to another spec" in refused.stderr or "given" in refused.stderr
    assert time.monotonic() - begin < 30


# --- candidates that fail ---------------------------------------------------------------------------------------------

STUBBORN = """
import torch
from torch import nn

class Stubborn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(16, 10)
        self.default_cfg = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    def forward(self, images):
        x = torch.relu(self.conv(images)).mean((2, 3))
        spectrum = torch.fft.rfft(x, n=14)
        return self.head(torch.cat([spectrum.real, spectrum.imag], 1))

def stubborn():
    torch.manual_seed(0)
    return Stubborn()
"""

UNABLE = "tflite"
"""The format that has no Fourier transform of real numbers."""


@pytest.mark.slow
def test_a_backend_that_cannot_convert_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    done = edgevit(
        "export",
        "stubborn:stubborn",
        "--random-weights",
        "--export",
        "onnx,tflite,openvino",
        "--out",
        "run",
        cwd=tmp_path,
    )
    run = run_document(tmp_path / "run")
    found = {candidate["backend"]: candidate for candidate in run["candidates"]}
    assert set(found) == {"onnxruntime", "litert", "openvino"}
    failed = [candidate for candidate in found.values() if candidate["status"] == "failed"]
    worked = [candidate for candidate in found.values() if candidate["status"] == "ok"]
    assert failed
    assert worked
    assert all(candidate["reasons"] for candidate in failed)
    assert all(candidate["verification"]["passed"] for candidate in worked)
    assert done.returncode == 1  # not every artifact that was asked for is there
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_nothing_usable_is_exit_1_and_a_whole_run(tmp_path: Path) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    arguments = ("compress", "stubborn:stubborn", "--random-weights", "--set", "measure.min_seconds=0")
    done = edgevit(*arguments, "--export", UNABLE, "--scheme", "fp32", "--out", "run", cwd=tmp_path)
    run = run_document(tmp_path / "run")
    assert done.returncode == 1, done.stderr
    assert run["selected"] is None
    assert [candidate["status"] for candidate in run["candidates"]] == ["failed"]


@pytest.mark.slow
def test_a_time_limit_that_nothing_meets_is_exit_1_and_resumable(tmp_path: Path) -> None:
    arguments = ("compress", "digits_vit", *QUICK, "--export", "onnx", "--scheme", "fp32", "--out", "run")
    late = edgevit(*arguments, "--set", "measure.timeout_seconds=0.01", cwd=tmp_path)
    assert late.returncode == 1
    assert "no result within 0.01 s" in late.stderr
    assert not (tmp_path / "run" / "run.json").exists()


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.fixture
def call(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process, which saves the imports; returns its exit code, stdout and stderr."""
    from edgevit.cli.app import run

    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files that are wrong in every way that the tests below name."""
    import torch

    (tmp_path / "broken.pt").write_bytes(b"no weights")
    torch.save({"head.weight": torch.zeros(3, 3)}, tmp_path / "shape.pt")
    (tmp_path / "empty").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "one_class.npz", images=pixels, labels=np.zeros(30, int))
    np.savez(tmp_path / "outside.npz", images=pixels, labels=np.arange(30))
    np.savez(tmp_path / "good.npz", images=pixels, labels=np.arange(30) % 10)
    (tmp_path / "key.toml").write_text('[model]\nname = "digits_vit"\n[export]\nbackend = ["onnx"]\n')
    (tmp_path / "broken_images").mkdir()
    (tmp_path / "broken_images" / "a.png").write_bytes(b"no image")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    from safetensors.torch import load_file

    state = load_file(REPOSITORY / "edgevit" / "model" / "bundled" / "digits_vit.safetensors")
    name = next(key for key in state if key.endswith("weight"))
    torch.save({**state, name: state[name] * float("nan")}, tmp_path / "nan.pt")
    torch.save({**state, name: state[name].to(torch.int8), f"{name}_scale": torch.ones(1)}, tmp_path / "int8.pt")
    np.savez(tmp_path / "nan.npz", images=np.where(np.arange(30) == 4, np.nan, 0)[:, None, None] + np.zeros((30, 8, 8)))
    np.savez(tmp_path / "channels_first.npz", images=np.zeros((30, 3, 8, 8), np.uint8))
    return tmp_path


MODEL = ("compress", "digits_vit")
BAD = [
    (("compress", "digit_vit"), "unknown model: 'digit_vit'", "digits_vit"),
    (("compress", "vit_tiny_patch16_22", "--random-weights"), "unknown model", "vit_tiny_patch16_224"),
    (("compress", "vit_tiny_patch16_224"), "where do the weights", "--weights FILE"),
    (("compress", "vit_tiny_patch16_224", "--weights", "nowhere.pt"), "no such weights file", ""),
    (("compress", "test_vit", "--weights", "broken.pt"), "cannot read weights", "safetensors"),
    (("compress", "test_vit", "--weights", "shape.pt"), "missing (", "architecture"),
    (("compress", "test_vit", "--random-weights", "--pretrained"), "give only one of weights", ""),
    (("compress", "test_vit", "--random-weights", "--data", "digits"), "accuracy of random weights is not reported", "--data"),
    ((*MODEL, "--weights", "nan.pt"), "nan.pt: NaN or infinity in 1 tensors", "checkpoint"),
    ((*MODEL, "--weights", "int8.pt"), "int8.pt is quantized already", "give the float model or checkpoint"),
    ((*MODEL, "--weights", "broken.onnx"), "is a file for ONNX Runtime, not a PyTorch model", "--weights FILE"),
    (("compress", "broken.onnx"), "broken.onnx is a file for ONNX Runtime, not a PyTorch model", "edgevit inspect broken.onnx"),
    (("compress", "nowhere.at.all:model", "--random-weights"), "cannot import", "package.module:factory"),
    ((*MODEL, "--export", "onyx"), "unknown backend: 'onyx'", "onnx"),
    ((*MODEL, "--export", ""), "the value of --export is empty", "give a value"),
    ((*MODEL, "--scheme", "static_wi8"), "unknown scheme: 'static_wi8'", "static_wi8_ai8"),
    ((*MODEL, "--export", "openvino", "--scheme", "dynamic_wi8_afp32"), "OpenVINO has no scheme", "static_wi8_ai8"),
    ((*MODEL, "--device", "raspbery-pi-5"), "unknown device: 'raspbery-pi-5'", "raspberry-pi-5"),
    ((*MODEL, "--profile", "raspbery-pi-5"), "unknown profile: 'raspbery-pi-5'", "raspberry-pi-5"),
    ((*MODEL, "--tokens", "evit:0@4"), "keep ratio must lie between", "tokens are removed at each site"),
    ((*MODEL, "--tokens", "evti:0.7"), "unknown token reduction method: 'evti'", "evit"),
    ((*MODEL, "--tokens", "tome:0.3@4"), "merges at most half", "can stay there"),
    ((*MODEL, "--tokens", "auto"), "needs images", "--data"),
    ((*MODEL, "--tokens", "resolution:100"), "resolution", ""),
    ((*MODEL, "--tokens", "evit:0.7", "--form", "topk"), "form", "gather"),
    ((*MODEL, "--tokens", "evit:0.7@40"), "names block 40", ""),
    (("compress", "digits_cnn", "--tokens", "evit:0.7@1"), "needs an encoder of softmax-attention blocks", "--tokens resolution:N"),
    ((*MODEL, "--max-drop", "-1"), "budget.max_drop", ""),
    ((*MODEL, "--threads", "0"), "hreads", ""),
    ((*MODEL, "--set", "exprt.backends=1"), "exprt: unknown key; did you mean export?", ""),
    (("compress", "key.toml"), "export.backend: unknown key; did you mean backends?", ""),
    (("compress", "nowhere.toml"), "no such file", ""),
    ((*MODEL, "--data", "nowhere"), "no such image source: nowhere", "digits"),
    ((*MODEL, "--data", "empty"), "no images in", ""),
    ((*MODEL, "--data", "broken_images"), "cannot read image a.png", ""),
    ((*MODEL, "--data", "one_class.npz"), "all of one class", ""),
    ((*MODEL, "--data", "outside.npz"), "label 29 is outside the model's 10 classes", ""),
    ((*MODEL, "--data", "nan.npz"), "1 of 30 images hold NaN or infinity: 4", "uint8 [n, h, w, 3]"),
    ((*MODEL, "--calibration", "nan.npz"), "1 of 30 images hold NaN or infinity: 4", "uint8 [n, h, w, 3]"),
    ((*MODEL, "--calibration", "channels_first.npz"), "it is uint8 [30, 3, 8, 8]", "images.transpose(0, 2, 3, 1)"),
    ((*MODEL, "--data", "good.npz", "--samples", "31"), "31 evaluation images were asked for", ""),
    ((*MODEL, "--data", "good.npz", "--samples", "0"), "samples", ""),
    ((*MODEL, "--data", "good.npz", "--calibration", "good.npz"), "30 calibration images of", "20%"),
    ((*MODEL, "--data", "good.npz", "--calibration", "100%"), "cannot hold out", ""),
    ((*MODEL, "--calibration", "20%"), "there are none", "--data"),
    ((*MODEL, "--data", "digits", "--calibration", "good.npz", "--set", "data.calibration_samples=31"), "31 calibration images", ""),
    ((*MODEL, "--teacher", "digits_cnn"), "needs images to train on", "--train"),
    ((*MODEL, "--teacher", "digits_cnn", "--train", "digits", "--data", "digits"), "training images", ""),
    ((*MODEL, "--out", "full"), "is not empty and holds no run", "--out"),
    (("export", "digits_vit", "--export", "onyx"), "unknown backend", "onnx"),
    (("bench", "nowhere.onnx"), "no such file", ""),
    (("bench", "broken.pt"), "no backend reads .pt", ".onnx"),
    (("eval", "broken.onnx", "--data", "digits"), "not part of a run", "--mean"),
    (("eval", "nowhere.onnx", "--data", "digits"), "no such file", ""),
    (("profile", "digits_vit", "--device", "nowhere"), "unknown device", ""),
    (("inspect", "nowhere.onnx"), "no such file", ""),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message", "hint"), BAD, ids=[" ".join(map(str, row[0])) for row in BAD])
def test_bad_input_is_exit_2_and_leaves_nothing_behind(
    call: Callable[..., tuple[int, str, str]], files: Path, arguments: tuple[str, ...], message: str, hint: str
) -> None:
    before = sorted(path.name for path in files.iterdir())
    code, out, err = call(*arguments)
    assert (code, out) == (2, ""), err
    assert message in err
    assert hint in err
    assert "Traceback" not in err
    assert sorted(path.name for path in files.iterdir()) == before


@pytest.mark.slow
def test_doubtful_calibration_images_are_told_at_once_recorded_and_reported(files: Path) -> None:
    arguments = ("export", "digits_cnn", "--export", "onnx", "--scheme", "fp32", "--calibration", "one_class.npz")
    done = edgevit(*arguments, "--out", "run", "--json", cwd=files)
    assert done.returncode == 0, done.stderr
    record, notes = (run_document(files / "run")[key] for key in ("calibration", "notes"))
    digests = sorted(hashlib.sha256(one.tobytes()).hexdigest() for one in np.load(files / "one_class.npz")["images"])
    assert (record["images_sha256"], record["count"], record["seed"]) == (digests, 30, 0)
    assert record["sha256"] == hashlib.sha256("\n".join(digests).encode()).hexdigest()
    assert [warning[:24] for warning in record["warnings"]] == [
        "only 30 calibration imag",
        "all 30 calibration image",
        "the calibration images l",
    ]
    report = (files / "run" / "report.md").read_text()
    for warning in record["warnings"]:
        assert warning in notes
        assert warning in report.replace("\\", "")
        assert f"warning: {warning}" in " ".join(done.stderr.split())
        assert done.stderr.index("warning: ") < done.stderr.index("will make")


def test_a_broken_artifact_is_exit_2(files: Path) -> None:
    done = edgevit("bench", "broken.onnx", cwd=files)
    assert (done.returncode, done.stdout) == (2, "")
    assert "broken.onnx" in done.stderr


@pytest.mark.slow
def test_three_backends_two_int8_schemes_and_fewer_tokens(home: Path) -> None:
    folder = home / "three"
    done = edgevit(
        "compress", "digits_vit", *QUICK, "--calibration", "digits:calibration", "--set", "data.calibration_samples=16",
        "--tokens", "evit:0.7@2,4", "--max-drop", "100", "--out", folder, cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = run_document(folder)
    assert {candidate["backend"] for candidate in run["candidates"]} == {"onnxruntime", "openvino", "litert"}
    assert {candidate["id"].split("/")[2] for candidate in run["candidates"]} == {
        "dense",
        "evit-0.7-2-4-gather",
        "evit-0.7-2-4-arithmetic",
    }
    assert not [candidate for candidate in run["candidates"] if candidate["status"] == "failed"], run
    reduced = [candidate for candidate in run["candidates"] if candidate["passes"]]
    assert all(candidate["passes"][0]["macs_after"] < candidate["passes"][0]["macs_before"] for candidate in reduced)
    assert run["calibration"]["ids"]
    shutil.rmtree(folder)
