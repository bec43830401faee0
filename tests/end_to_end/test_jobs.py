"""Tasks side by side, by the installed command: the results do not depend on their number, nor on where a run was killed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.end_to_end.test_compress import edgevit, outcome, start, wait_for

pytestmark = pytest.mark.slow

COMMAND = (
    "compress", "digits_cnn", "--data", "digits", "--samples", "60", "--calibration", "calibration:digits",
    "--set", "data.calibration_samples=16", "--set", "measure.min_seconds=0", "--export", "onnx,openvino",
    "--scheme", "static_wi8_ai8", "--max-drop", "100", "--set", "quantize.max_minutes=600",
)  # fmt: skip


@pytest.fixture(scope="module")
def one_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("jobs") / "run"
    done = edgevit(*COMMAND, "--jobs", "1", "--out", folder, cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    return folder


def test_artifacts_and_accuracies_do_not_depend_on_the_number_of_jobs(one_at_a_time: Path, tmp_path: Path) -> None:
    done = edgevit(*COMMAND, "--jobs", "2", "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(outcome(tmp_path / "run")) == 4
    assert outcome(tmp_path / "run") == outcome(one_at_a_time)


def test_a_run_that_was_killed_in_several_stages_at_once_ends_with_the_same_result(
    one_at_a_time: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    arguments = (*COMMAND, "--jobs", "2", "--out", folder)
    process = start(arguments, tmp_path)
    wait_for(process, lambda: len(list(folder.glob("artifacts/*/fp32/*.partial"))) == 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "run.json").exists()
    resumed = edgevit(*arguments, "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert outcome(folder) == outcome(one_at_a_time)
    assert not list(folder.rglob("*.partial"))
