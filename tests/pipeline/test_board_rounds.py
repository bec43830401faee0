"""What was found on boards, as candidates carry it; the rounds themselves run in tests/end_to_end/test_compress_on.py."""

from __future__ import annotations

from dataclasses import replace

from edgevit.pipeline.board_rounds import BoardRounds, with_boards
from edgevit.results.board import BoardRecord
from tests.factories import make_candidate, make_latency, make_measurement, make_run

A, B = "litert/fp32/dense", "openvino/fp32/dense"


def rounds(board: str, **changes: object) -> BoardRounds:
    record = BoardRecord(board, make_run().host, failures={B: "openvino is not installed there"})
    measurement = replace(make_measurement(9.0), device=board)
    return replace(BoardRounds(record, {A: make_latency(8.0, 9.0, 10.0)}, {A: measurement}), **changes)


def test_a_candidate_carries_the_rounds_and_the_measurement_of_each_board_beside_those_of_this_host() -> None:
    before = make_candidate(A, p50_ms=3.0)
    after = with_boards(before, [rounds("pi4"), rounds("pi5", measurements={})])
    assert list(after.on_boards) == ["pi4", "pi5"]
    assert after.latency_on("pi4") == make_latency(8.0, 9.0, 10.0)
    assert [each.device for each in after.measurements] == ["host", "pi4"]
    assert (after.p50_ms, after.latency) == (before.p50_ms, before.latency)


def test_what_did_not_run_on_a_board_has_nothing_of_it() -> None:
    candidate = make_candidate(B, p50_ms=3.0)
    assert with_boards(candidate, [rounds("pi4")]) == candidate
