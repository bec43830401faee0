"""What is done on a board, by the machine of a cluster that it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.rounds import RoundEntry
from edgevit.pipeline.board_job import BoardJob, LookJob, look_task, rounds_task
from edgevit.results.document import from_document, to_document
from edgevit.results.run import load_run
from edgevit.run.task import BoardUse
from edgevit.spec.spec import MeasureSpec
from tests.cluster.clusters import cluster
from tests.loopback import PYTHON, Loopback

BOARD = BoardSpec(parse_address("pi@board:2222"))
ENTRY = RoundEntry("litert/fp32/dense", "litert", Path("/run/a.tflite"), "f32", (Path("/run/a.tflite"),))


def test_a_task_on_a_board_names_it_with_the_files_that_it_sends() -> None:
    job = BoardJob(BOARD, ("litert",), (ENTRY,), MeasureSpec(threads=2), 7, Path("/run/logs/log"))
    task = rounds_task(job)
    assert (task.board, task.inputs, task.timing) == (BoardUse("pi@board:2222", 600.0), ENTRY.files, True)
    assert from_document(BoardJob, to_document(job)) == job


def test_each_look_is_one_of_its_own() -> None:
    one, other = (look_task(LookJob(BOARD, ("litert",), MeasureSpec(), at)) for at in (1.0, 2.0))
    assert one.board == BoardUse("pi@board:2222", 600.0)
    assert one.question != other.question


@pytest.mark.slow
def test_candidates_are_measured_on_the_board_of_a_worker_and_on_no_other(
    loopback: Loopback, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    asked = [
        "compress", "digits_cnn", "--data", "digits", "--samples", "40", "--calibration", "calibration:digits",
        "--export", "tflite", "--scheme", "fp32,dynamic_wi8_afp32", "--max-drop", "10", "--python", PYTHON,
    ]  # fmt: skip
    with cluster(tmp_path, workers={"one": 2}) as local:
        where = ["--cluster", local.url, "--store", str(tmp_path / "store")]
        assert run([*asked, *where, "--on", "board", "--out", str(tmp_path / "none")]) == 2
        assert "no worker of the cluster has board board" in capsys.readouterr().err
        local.worker("two", "--jobs", "1", "--board", "board")
        assert run([*asked, *where, "--on", "board", "--out", str(tmp_path / "run")]) == 0
    found = load_run(tmp_path / "run")
    (board,) = found.boards
    assert (board.name, board.failures, list(found.selected_for)) == ("board", {}, ["board"])
    for candidate in found.candidates:
        assert len(candidate.on_boards["board"].bursts_ms) == 9
        assert candidate.measurement("board") is not None
    log = (tmp_path / "run" / "logs" / "worker-board.log").read_text()
    assert log.startswith("--- on two\n")
    assert loopback.is_quiet()
