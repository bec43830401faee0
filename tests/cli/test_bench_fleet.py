"""What several boards gave: a table, a document, and how the command ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.bench_fleet import FleetBench, bench_fleet
from edgevit.commands.bench_fleet import OnBoard
from edgevit.errors import CheckFailed, UsageError
from edgevit.measure.boards.address import parse_address
from edgevit.measure.boards.connection import BoardSpec
from edgevit.measure.boards.fleet import FleetBoard
from edgevit.measure.machine import this_machine
from edgevit.measure.sustained import SustainedLatency, Window
from edgevit.results.comparison import compare
from edgevit.run.progress import Silent
from edgevit.spec.spec import MeasureSpec
from tests.factories import make_latency, make_measurement

A, B = Path("a.onnx"), Path("b.onnx")
BOARDS = tuple(FleetBoard(name, BoardSpec(parse_address(name))) for name in ("one", "two"))


@pytest.fixture
def two_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two boards that are this machine, and measure nothing."""
    measured = make_measurement(12.0)
    noisy = replace(measured, conditions=replace(measured.conditions, unstable="noise"))
    found = iter([measured, noisy] * 4)

    def on_each(boards: Any, artifacts: Any, settings: Any, measure: Any, progress: Any) -> tuple[OnBoard[Any], ...]:
        return tuple(OnBoard(board, measure(this_machine(1), Silent()), None) for board in boards)

    windows = (Window(1.0, 10, 9.0, None),)
    compared = compare([(A, make_latency(12.0)), (B, make_latency(10.0))], 1)
    monkeypatch.setattr("edgevit.commands.bench_fleet.on_each", on_each)
    monkeypatch.setattr("edgevit.commands.bench.measure_file", lambda *_: next(found))
    monkeypatch.setattr("edgevit.commands.bench.compare_files", lambda *_: compared)
    monkeypatch.setattr("edgevit.commands.bench.sustain_file", lambda *_: SustainedLatency(windows, 1, 1))
    monkeypatch.setattr("edgevit.commands.bench.machine_document", lambda *_: {"host": {}})


def asked(*artifacts: Path, seconds: float | None = None) -> FleetBench:
    return FleetBench(artifacts, "fastest", MeasureSpec(), None, seconds)


@pytest.mark.usefixtures("two_boards")
def test_each_board_has_its_row_and_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    bench_fleet(BOARDS, asked(A), require_stable=False, as_json=False)
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(("one", "two"))]
    assert rows[0][:4] == ["one", "a.onnx", "12.0", "ms"]
    assert rows[1][-2:] == ["unstable:", "noise"]
    bench_fleet(BOARDS, asked(A), require_stable=False, as_json=True)
    documents = json.loads(capsys.readouterr().out)["boards"]
    assert [each["name"] for each in documents] == ["one", "two"]
    assert documents[0]["measurement"]["latency_ms"]["p50"] == 12.0
    with pytest.raises(CheckFailed, match="two: noise"):
        bench_fleet(BOARDS, asked(A), require_stable=True, as_json=True)


@pytest.mark.usefixtures("two_boards")
@pytest.mark.parametrize(("bench", "key"), [(asked(A, B), "comparison"), (asked(A, seconds=60.0), "sustained")])
def test_other_ways_to_measure(bench: FleetBench, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    bench_fleet(BOARDS, bench, require_stable=False, as_json=True)
    assert all(key in each for each in json.loads(capsys.readouterr().out)["boards"])


def test_a_board_that_failed_ends_the_command_after_the_others_were_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = tuple(OnBoard(board, None, UsageError("not there", "switch it on")) for board in BOARDS)
    monkeypatch.setattr("edgevit.commands.bench_fleet.on_each", lambda *_: failed)
    with pytest.raises(UsageError, match="one failed: not there; two failed: not there") as error:
        bench_fleet(BOARDS, asked(A), require_stable=False, as_json=True)
    assert error.value.hint == "switch it on"
    assert json.loads(capsys.readouterr().out)["boards"][0]["error"]["message"] == "not there"
