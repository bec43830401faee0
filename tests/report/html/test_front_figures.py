"""Fronts: what they show in words, and what does not fit into them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.report.evidence import Evidence
from edgevit.report.html.figures import draw_figures
from edgevit.report.html.front_figures import draw_measured, draw_measured_on, draw_predicted
from tests.factories import BOARD, make_board_run, make_realistic_run, make_timed_run

pytest.importorskip("bokeh")


def test_a_plot_is_described_in_words() -> None:
    ((panel, _), *_) = draw_measured(make_realistic_run())
    assert panel.description.startswith("Plot of top-1 against latency measured on this host of 9 candidates.")
    assert "number 1, openvino/static_wi8_ai8, 10.6 ms and 82.2 %" in panel.description


def test_what_lies_below_the_plot_is_marked() -> None:
    ((_, plot), *_) = draw_measured(make_realistic_run())
    source = plot.select_one({"name": "points-measured"})
    below = source.data["text"][list(source.data["id"]).index("litert/static_wi8_ai8")]
    assert below == "9 ↓"
    assert min(source.data["y"]) > 80


def test_a_device_without_predictions_has_no_plot() -> None:
    assert draw_predicted(make_timed_run("raspberry-pi-5"), "raspberry-pi-5")
    assert draw_predicted(replace(make_timed_run(), selected_for={"raspberry-pi-5": None}), "raspberry-pi-5") == []


def test_a_board_has_a_plot_of_what_was_measured_there_with_marks_of_measured_points() -> None:
    run = make_board_run()
    ((panel, plot),) = draw_measured_on(run, BOARD)
    assert (panel.name, panel.title) == ("front-board-0", "Measured on pi4")
    assert "61.0 ms" in panel.description and len(panel.numbers) == 2
    assert plot.select_one({"name": "points-measured"}) is not None
    assert [each.name for each in draw_figures(run, Evidence()).fronts][-1] == "front-board-0"
