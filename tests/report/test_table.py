"""The table of candidates: what speeds and accuracies are compared with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.report.table import columns, reasons_of, reference_of, rows_of, short_status_of, speed_up, status_of
from tests.factories import make_realistic_run, make_run, make_timed_run


def test_speed_is_compared_with_the_float_parent() -> None:
    run = make_realistic_run()
    int8, float32 = run.candidate("litert/dynamic_wi8_afp32"), run.candidate("litert/fp32")
    assert reference_of(run, int8) == float32
    assert reference_of(run, float32) is None
    assert speed_up(run, int8) == pytest.approx(25.7 / 11.5)
    orphan = replace(int8, id="litert/static", parent=None)
    assert reference_of(make_run(float32, orphan), orphan) == float32
    assert speed_up(run, run.candidate("openvino/dynamic_wi8_afp32")) is None


def test_two_kinds_of_measurement_are_not_divided_by_each_other() -> None:
    run = make_timed_run()
    float32 = run.candidate("litert/fp32")
    alone = replace(run.candidate("litert/static_wi8_ai8"), speed_up=None)
    assert speed_up(make_run(float32, alone), alone) is None


def test_the_status_says_chosen_tied_and_unstable() -> None:
    run = make_timed_run()
    assert [status_of(run, candidate) for candidate in run.candidates] == ["ok", "chosen", "tied, unstable", "rejected"]
    two = replace(run, selected_for={"a": "litert/fp32", "b": "litert/fp32"}, tied={"b": ("openvino/static_wi8_ai8",)})
    assert [status_of(two, candidate) for candidate in two.candidates[:2]] == ["chosen for a, b", "tied for b"]


def test_a_short_status_is_one_word() -> None:
    run = make_timed_run()
    assert [short_status_of(run, each) for each in run.candidates] == ["ok", "chosen", "tied", "rejected"]
    two = replace(run, selected_for={"a": "litert/fp32", "b": "litert/fp32"}, tied={"b": ("openvino/static_wi8_ai8",)})
    assert [short_status_of(two, each) for each in two.candidates[:2]] == ["chosen", "tied"]


def test_intervals_stand_beside_their_values_and_only_where_there_are_some() -> None:
    titles = [column.title for column in columns(make_timed_run())]
    assert titles[:3] == ["rank", "candidate", "status"]
    assert titles[3:11] == [
        "top-1", "interval", "change", "interval", "host p50", "interval", "host speed-up", "interval",
    ]  # fmt: skip
    assert "interval" not in [column.title for column in columns(make_realistic_run())]


def test_the_fastest_is_the_first_row() -> None:
    assert rows_of(make_realistic_run())[0].id == "openvino/static_wi8_ai8"
    assert rows_of(make_realistic_run())[-1].id == "openvino/dynamic_wi8_afp32"


def test_what_is_uncertain_of_a_candidate_is_among_its_reasons() -> None:
    run = make_timed_run()
    assert reasons_of(run.candidates[2]) == ("latency disturbed: steal time 12 % in 2 of 3 bursts",)
    assert reasons_of(run.candidates[3]) == run.candidates[3].reasons
