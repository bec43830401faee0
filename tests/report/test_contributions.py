"""What each step contributed is said in full for the chosen candidate, and in a line for others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgevit.report.contributions import contribution_lines, contributions_section, total_drop_points, total_speed_up
from edgevit.report.markdown import render_markdown
from edgevit.results.candidate import Contribution
from edgevit.results.run import Run
from tests.factories import make_candidate, make_run

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
    assert contributions_section(a_run()) in render_markdown(a_run(), None)


def test_there_is_no_section_without_steps() -> None:
    assert contributions_section(make_run()) == ""
    assert contributions_section(make_run(selected=None)) == ""
    assert "What each step contributed" not in render_markdown(make_run(), None)


def test_others_are_shown_where_none_was_chosen() -> None:
    lines = contributions_section(a_run(selected=None)).splitlines()
    assert lines[2] == "Usable candidates of several steps:"
    assert [line.split(" | ")[0] for line in lines[6:8]] == [
        "| litert/static_wi8_ai8/squeeze",
        "| openvino/static_wi8_ai8/squeeze",
    ]


def test_the_total_is_a_product_of_speeds_and_a_sum_of_points() -> None:
    assert total_speed_up((REDUCED, QUANTIZED)) == pytest.approx(12.2 / 8.2 * 3)
    assert total_drop_points((REDUCED, QUANTIZED)) == pytest.approx(0.5)


def test_what_is_not_known_of_a_step_is_not_known_of_all() -> None:
    unknown = replace(QUANTIZED, drop_points=None)
    assert total_drop_points((REDUCED, unknown)) is None
    page = contributions_section(make_run(make_candidate(contributions=(REDUCED, unknown))))
    assert "| 3.00 × | – |" in page
    assert "| 4.46 × | – |" in page


def test_the_change_is_that_of_agreement_where_there_are_no_labels() -> None:
    candidate = make_candidate(top1=None, contributions=(QUANTIZED,))
    page = contributions_section(make_run(candidate))
    assert "| agreement change |" in page
    assert "agreement with the float model" in page
    assert contribution_lines(candidate)[-1].endswith("(3.00 ×), agreement +0.1 pt")
    assert "The change is that of top-1" in contributions_section(a_run())


def test_lines_for_a_terminal() -> None:
    assert contribution_lines(a_run().candidates[0]) == [
        "litert/static_wi8_ai8/squeeze, 2 steps from the dense float candidate: 4.46 × the speed, top-1 -0.5 pt",
        "reduce_tokens squeeze:4=127,6=95: 1.25 G → 750.00 M MACs, 12.2 → 8.20 ms (1.49 ×), top-1 -0.6 pt",
        "quantize static_wi8_ai8: 750.00 M → 700.00 M MACs, 8.40 → 2.80 ms (3.00 ×), top-1 +0.1 pt",
    ]
    unknown = make_candidate("litert/fp32/squeeze", contributions=(replace(REDUCED, drop_points=None),))
    assert contribution_lines(unknown) == [
        "litert/fp32/squeeze, 1 step from the dense float candidate: 1.49 × the speed",
        "reduce_tokens squeeze:4=127,6=95: 1.25 G → 750.00 M MACs, 12.2 → 8.20 ms (1.49 ×)",
    ]
    assert contribution_lines(make_candidate()) == []
