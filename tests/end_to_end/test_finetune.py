"""``edgevit compress --finetune`` and ``edgevit finetune`` by the installed command: tuned, killed, continued, loaded again."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from edgevit.report.details import details
from edgevit.results.run import load_run

pytest.importorskip("torch")

from tests.end_to_end.test_compress import edgevit, outcome, run_document, start

pytestmark = pytest.mark.slow

PLAN = "evit:0.5@2,3"
COMMAND = (
    "compress", "digits_vit", "--data", "digits", "--samples", "200", "--calibration", "calibration:digits",
    "--tokens", PLAN, "--form", "gather", "--finetune", "full", "--set", "finetune.images_seen=3200",
    "--set", "finetune.learning_rate=1e-4", "--export", "onnx", "--scheme", "dynamic_wi8_afp32", "--max-drop", "100",
    "--set", "measure.min_seconds=0", "--train", "digits:train",
)  # fmt: skip
PLAN_SLUG = "evit-0.5-2-3-gather"
TUNED = f"{PLAN_SLUG}-full"
INT8 = "onnxruntime/dynamic_wi8_afp32"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("finetune")
    done = edgevit(*COMMAND, "--out", home / "run", cwd=home)
    assert done.returncode == 0, done.stderr
    return home / "run"


def test_the_tuned_variant_is_nearer_and_both_are_in_the_report(finished: Path) -> None:
    document = run_document(finished)
    (record,) = document["finetunes"]
    assert record["after"] < 0.8 * record["before"]
    assert record["change"]["high"] < 0
    by_id = {candidate["id"]: candidate for candidate in document["candidates"]}
    assert (record["untuned"], record["tuned"]) == (f"{INT8}/{PLAN_SLUG}", f"{INT8}/{TUNED}")
    assert by_id[f"{INT8}/{TUNED}"]["status"] in ("ok", "rejected")  # the latter if the machine is too busy to tell
    assert by_id[f"{INT8}/{TUNED}"]["recipe"] == by_id[f"{INT8}/{PLAN_SLUG}"]["recipe"]
    assert f"onnxruntime/fp32/{PLAN_SLUG}" in by_id
    tuned = by_id[f"onnxruntime/fp32/{TUNED}"]
    assert tuned["verification"]["passed"]
    assert tuned["verification"]["max_rel_diff"] < 1e-3  # against the tuned model, not the dense one
    assert "## Fine-tuning" in "\n".join(details(load_run(finished)))
    assert (finished / "report-finetuning.png").is_file()


def test_the_weights_load_into_the_model_as_it_was_brought(finished: Path) -> None:
    (record,) = run_document(finished)["finetunes"]
    reduced = finished.parent / "reduced.pt2"
    command = ("reduce-tokens", "digits_vit", "--tokens", PLAN, "--data", "digits", "--samples", "200", "--json")
    done = edgevit(*command, "--weights", finished / record["weights"], "--out", reduced, cwd=finished.parent)
    assert done.returncode == 0, done.stderr
    after: dict[str, Any] = json.loads(done.stdout)
    passes = next(c["passes"] for c in run_document(finished)["candidates"] if c["id"] == f"onnxruntime/fp32/{TUNED}")
    assert after["top1_after"] == passes[-1]["top1_after"]


@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_a_run_killed_while_it_tunes_ends_as_an_unbroken_one(finished: Path, tmp_path: Path) -> None:
    process = start((*COMMAND, "--out", tmp_path / "run"), tmp_path, start_new_session=True)
    log, limit = tmp_path / "run" / "logs", time.monotonic() + 120
    while not list(log.glob("finetune-*")) and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.1)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "run" / "run.json").exists()
    done = edgevit(*COMMAND, "--out", tmp_path / "run", "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert outcome(tmp_path / "run") == outcome(finished)


def test_finetune_alone_writes_artifacts_and_weights_and_times_nothing(tmp_path: Path) -> None:
    """For int8 of the dense model, in its own numbers."""
    command = (
        "finetune", "digits_cnn", "--data", "digits", "--samples", "200", "--calibration", "digits:train", "--export", "onnx",
        "--scheme", "static_wi8_ai8", "--rung", "quick", "--set", "finetune.images_seen=1280",
    )  # fmt: skip
    done = edgevit(*command, "--out", tmp_path / "run", cwd=tmp_path)
    document = run_document(tmp_path / "run")
    (record,) = document["finetunes"]
    assert record["untuned"] == "onnxruntime/static_wi8_ai8/dense"
    assert done.returncode == (0 if record["change"]["high"] < 0 else 1), done.stderr
    if record["weights"]:
        assert (tmp_path / "run" / record["weights"]).is_file()
        assert "to load them: edgevit compress digits_cnn --weights" in done.stdout
    assert not any(candidate["measurements"] for candidate in document["candidates"])
