"""Boards in ``run.json``: they are read back, and runs of an earlier version have none."""

from __future__ import annotations

import json

from edgevit.results.board import BoardRecord
from edgevit.results.run import Run, load_run, run_to_json
from edgevit.run.files import write_atomically
from tests.factories import BOARD, make_board_run, make_timed_run


def test_what_was_measured_on_a_board_is_read_back(tmp_path) -> None:  # type: ignore[no-untyped-def]
    run = make_board_run(emulated="QEMU")
    write_atomically(tmp_path / "run.json", run_to_json(run))
    found = load_run(tmp_path)
    assert found == run
    assert found.is_measured_on(BOARD) and found.is_measured_on("host") and not found.is_measured_on("raspberry-pi-5")
    (board,) = found.boards
    assert isinstance(board, BoardRecord) and isinstance(found, Run)
    assert board.failures == {"litert/dynamic_wi8_afp32": "the runtime there has no op X"}


def test_a_run_without_boards_is_as_before(tmp_path) -> None:  # type: ignore[no-untyped-def]
    document = json.loads(run_to_json(make_timed_run()))
    assert document["boards"] == []
    for candidate in document["candidates"]:
        assert candidate.pop("on_boards") == {}
    del document["boards"]
    (tmp_path / "run.json").write_text(json.dumps(document))
    assert load_run(tmp_path) == make_timed_run()
