"""``edgevit distill`` by the installed command: trained, killed, continued, in two processes, and compressed in one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgevit.report.details import details
from edgevit.results.run import load_run

pytest.importorskip("torch")

from safetensors.numpy import load_file

from tests.end_to_end.test_compress import edgevit, run_document, start

pytestmark = pytest.mark.slow

COMMAND = (
    "distill", "digits_cnn", "--random-weights", "--teacher", "digits_cnn", "--train", "digits:train", "--data", "digits",
    "--epochs", "4", "--learning-rate", "3e-3", "--augmentation", "affine",
)  # fmt: skip


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "distill.json").read_text())
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("distill")
    done = edgevit(*COMMAND, "--out", home / "out", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "compress it: edgevit compress digits_cnn --weights" in done.stdout
    return home / "out"


def test_a_cnn_learns_the_digits_from_its_teacher(finished: Path) -> None:
    found = document(finished)["evaluation"]
    assert found["before"]["top1"] < 0.3
    assert found["after"]["top1"] > 0.9
    assert found["teacher"]["top1"] > 0.97
    names = {path.name for path in finished.iterdir()}
    assert {"weights.safetensors", "distill.json", "log.csv", "distill.log"} <= names
    assert "weights.checkpoint" not in names


def test_the_weights_are_those_of_the_model(finished: Path) -> None:
    done = edgevit("inspect", "digits_cnn", "--weights", finished / "weights.safetensors", cwd=finished.parent)
    assert done.returncode in (0, 2)
    command = ("reduce-tokens", "digits_cnn", "--tokens", "resolution:24", "--data", "digits", "--json")
    done = edgevit(*command, "--weights", finished / "weights.safetensors", "--out", "small.pt2", cwd=finished.parent)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["top1_before"] == document(finished)["evaluation"]["after"]["top1"]


@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_one_that_was_killed_ends_as_an_unbroken_one(finished: Path, tmp_path: Path) -> None:
    process = start((*COMMAND, "--out", tmp_path / "out"), tmp_path, start_new_session=True)
    limit = time.monotonic() + 300
    checkpoint = tmp_path / "out" / "weights.checkpoint"
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert checkpoint.exists()
    assert not (tmp_path / "out" / "distill.json").exists()
    done = edgevit(*COMMAND, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "--resume" in done.stderr
    done = edgevit(*COMMAND, "--out", tmp_path / "out", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert document(tmp_path / "out")["weights_sha256"] == document(finished)["weights_sha256"]


def test_two_processes_train_together_however_they_are_started(tmp_path: Path) -> None:
    pytest.importorskip("accelerate")
    command = (*COMMAND[:-6], "--epochs", "1", "--learning-rate", "3e-3", "--set", "distill.augmentation.views=none")
    assert edgevit(*command, "--out", tmp_path / "one", cwd=tmp_path).returncode == 0
    done = edgevit(*command, "--processes", "2", "--out", tmp_path / "two", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    arguments = [str(each) for each in (*command, "--out", tmp_path / "launched")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    launched = subprocess.run(
        [*launcher, "-m", "edgevit", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert launched.returncode == 0, launched.stderr
    two, again = (load_file(tmp_path / name / "weights.safetensors") for name in ("two", "launched"))
    assert two.keys() == again.keys()
    assert all((two[name] == again[name]).all() for name in two)
    assert document(tmp_path / "two")["steps"] == document(tmp_path / "one")["steps"]


def test_distilled_and_compressed_with_fine_tuning_is_one_run(tmp_path: Path) -> None:
    command = (
        "compress", "digits_vit", "--teacher", "digits_cnn", "--train", "digits:train", "--data", "digits", "--samples", "100",
        "--calibration", "calibration:digits", "--tokens", "evit:0.5@2", "--form", "gather", "--export", "onnx", "--scheme", "fp32",
        "--finetune", "quick", "--finetune-teacher", "teacher", "--set", "finetune.images_seen=640", "--max-drop", "100",
        "--set", "measure.min_seconds=0",
    )  # fmt: skip
    done = edgevit(*command, "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = run_document(tmp_path / "run")
    (record,) = found["finetunes"]
    assert record["teacher"] == "digits_cnn"
    dense = next(each for each in found["candidates"] if each["id"] == "onnxruntime/fp32/dense")
    assert [(each["name"], each["settings"]) for each in dense["passes"]] == [("distill", "teacher digits_cnn")]
    report = "\n".join(details(load_run(tmp_path / "run")))
    assert "from digits_cnn" in report
