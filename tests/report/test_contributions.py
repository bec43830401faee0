"""What each step contributed is said in full for the chosen candidate, and in a line for others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgevit.report.contributions import (
    contribution_lines,
    contributions_section,
    steps_of,
    total_drop_points,
    total_speed_up,
)
from edgevit.report.markdown import render_markdown
from edgevit.results.candidate import Contribution
from edgevit.results.run import Run
from tests.factories import make_candidate, make_latency, make_run

REDUCED = Contribution(
    "reduce_tokens", "squeeze:4=127,6=95 (squeeze-4=127-6=95-gather)", 1_250_000_000, 750_000_000, 12.2, 8.2, 0.6
)
QUANTIZED = Contribution("quantize", "static_wi8_ai8: mean min max", 750_000_000, 700_000_000, 8.4, 2.8, -0.1)


def a_run(**changes: Any) -> Run:
    """The chosen candidate takes two steps, another usable one too; the rest has nothing to say."""
    chosen = make_candidate("litert/static_wi8_ai8/squeeze", contributions=(REDUCED, QUANTIZED))
    return make_run(
        chosen,
        make_candidate("litert/fp32/dense"),
        make_candidate("litert/fp32/squeeze", contributions=(REDUCED,)),
        replace(chosen, id="openvino/static_wi8_ai8/squeeze", backend="openvino"),
        replace(chosen, id="onnxruntime/static_wi8_ai8/squeeze", status="rejected"),
        **changes,
    )


def test_the_chosen_one_step_by_step_and_the_others_in_a_row() -> None:
    assert contributions_section(a_run()).splitlines()[:16] == [
        "## What each step contributed",
        "",
        "From the dense float candidate of `litert` to the chosen `litert/static_wi8_ai8/squeeze`:",
        "",
        "| step | settings | MACs | latency | speed-up | top-1 change |",
        "|---|---|--:|--:|--:|--:|",
        "| reduce_tokens | squeeze:4=127,6=95 (squeeze-4=127-6=95-gather) | 1.25 G → 750.00 M | 12.2 → 8.20 ms | 1.49 × | -0.6 pt |",
        "| quantize | static_wi8_ai8: mean min max | 750.00 M → 700.00 M | 8.40 → 2.80 ms | 3.00 × | +0.1 pt |",
        "| total |  | 1.25 G → 700.00 M | – | 4.46 × | -0.5 pt |",
        "",
        "Other usable candidates of several steps:",
        "",
        "| candidate | steps | MACs | speed-up | top-1 change |",
        "|---|---|--:|--:|--:|",
        "| openvino/static_wi8_ai8/squeeze | reduce_tokens 1.49 × (-0.6 pt), then quantize 3.00 × (+0.1 pt) | 1.25 G → 700.00 M | 4.46 × | -0.5 pt |",
        "",
    ]


def test_there_is_no_section_without_steps() -> None:
    assert contributions_section(make_run()) == ""
    assert contributions_section(make_run(selected=None)) == ""
    assert "What each step contributed" not in render_markdown(make_run(), None)
    assert "What each step contributed" in render_markdown(a_run(), None)


def test_others_are_shown_where_none_was_chosen() -> None:
    lines = contributions_section(a_run(selected=None)).splitlines()
    assert lines[2] == "Usable candidates of several steps:"
    assert [line.split(" | ")[0] for line in lines[6:8]] == [
        "| litert/static_wi8_ai8/squeeze",
        "| openvino/static_wi8_ai8/squeeze",
    ]


def test_the_total_is_a_product_of_speeds_and_a_sum_of_points() -> None:
    run = a_run()
    assert total_speed_up(run, run.candidates[0]) == pytest.approx(12.2 / 8.2 * 3)
    assert total_drop_points(steps_of(run, run.candidates[0])) == pytest.approx(0.5)


def test_what_is_not_known_of_a_step_is_not_known_of_all() -> None:
    unknown = replace(QUANTIZED, drop_points=None)
    run = make_run(make_candidate(contributions=(REDUCED, unknown)))
    assert total_drop_points(steps_of(run, run.candidates[0])) is None
    page = contributions_section(run)
    assert "| 3.00 × | – |" in page
    assert "| 4.46 × | – |" in page


def test_the_change_is_that_of_agreement_where_there_are_no_labels() -> None:
    candidate = make_candidate(top1=None, contributions=(QUANTIZED,))
    page = contributions_section(make_run(candidate))
    assert "| agreement change |" in page
    assert "agreement with the float model" in page
    assert contribution_lines(make_run(candidate), candidate)[-1].endswith("(3.00 ×), agreement +0.1 pt")
    assert "The change is that of top-1" in contributions_section(a_run())


def test_lines_for_a_terminal() -> None:
    assert contribution_lines(a_run(), a_run().candidates[0]) == [
        "litert/static_wi8_ai8/squeeze, 2 steps from the dense float candidate: 4.46 × the speed on this host, top-1 -0.5 pt",
        "reduce_tokens squeeze:4=127,6=95: 1.25 G → 750.00 M MACs, 12.2 → 8.20 ms (1.49 ×), top-1 -0.6 pt",
        "quantize static_wi8_ai8: 750.00 M → 700.00 M MACs, 8.40 → 2.80 ms (3.00 ×), top-1 +0.1 pt",
    ]
    unknown = make_candidate("litert/fp32/squeeze", contributions=(replace(REDUCED, drop_points=None),))
    assert contribution_lines(make_run(unknown), unknown) == [
        "litert/fp32/squeeze, 1 step from the dense float candidate: 1.49 × the speed on this host",
        "reduce_tokens squeeze:4=127,6=95: 1.25 G → 750.00 M MACs, 12.2 → 8.20 ms (1.49 ×)",
    ]
    assert contribution_lines(make_run(), make_candidate()) == []


def timed_run(**changes: Any) -> Run:
    """Dense, reduced and quantized in the same rounds, which drift; first compared at another moment."""
    dense = make_candidate("litert/fp32/dense", latency=make_latency(20.0, 30.0, 24.0))
    reduced = make_candidate(
        "litert/fp32/squeeze", parent=dense.id, contributions=(REDUCED,), latency=make_latency(16.0, 24.0, 19.2)
    )
    values: dict[str, Any] = {"latency": make_latency(8.0, 12.0, 9.6)} | changes
    quantized = make_candidate(
        "litert/static_wi8_ai8/squeeze", parent=reduced.id, contributions=(REDUCED, QUANTIZED), **values
    )
    return make_run(dense, reduced, quantized, selected=quantized.id)


def test_steps_are_told_by_the_final_round_as_the_table_does() -> None:
    run = timed_run()
    assert contribution_lines(run, run.candidates[2]) == [
        "litert/static_wi8_ai8/squeeze, 2 steps from the dense float candidate: 2.50 × the speed on this host, top-1 -0.5 pt",
        "reduce_tokens squeeze:4=127,6=95: 1.25 G → 750.00 M MACs, 24.0 → 19.2 ms (1.25 ×), top-1 -0.6 pt",
        "quantize static_wi8_ai8: 750.00 M → 700.00 M MACs, 19.2 → 9.60 ms (2.00 ×), top-1 +0.1 pt",
    ]
    page = contributions_section(run)
    assert "first comparison" not in page
    assert "the median of the paired ratios" in page
    assert "1.49 ×" not in page


def test_a_step_outside_the_round_is_marked_as_first_compared() -> None:
    run = timed_run(latency=None)
    assert [step.timed for step in steps_of(run, run.candidates[2])] == [True, False]
    lines = contribution_lines(run, run.candidates[2])
    assert "(3.00 × in the first comparison)" in lines[2]
    assert "3.75 × the speed" in lines[0]
    assert "3.00 × in the first comparison" in contributions_section(run)
