"""Token searches are told in full, and predicted block times never in the words of measured ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.report import write_report
from edgevit.report.details import details
from edgevit.report.plots.staircase import can_draw_staircases, draw_staircases
from edgevit.report.token_searches import Stop, search_line, stops, token_searches_section
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Contribution
from edgevit.results.measurement import Interval
from edgevit.results.run import Run
from edgevit.results.token_search import BlockPoint, SitePoint, TokenSearch, TriedPlan, TriedSize, TunedPlan
from tests.factories import make_candidate, make_prediction, make_run

PLAN = "squeeze:4=127,6=95"
MEASURED = TokenSearch(
    backend="litert",
    target="host",
    source="measured",
    dense_ms=12.0,
    blocks=(BlockPoint(96, 0.5), BlockPoint(120, 0.7), BlockPoint(128, 0.7), BlockPoint(197, 1.0)),
    sites=(SitePoint("squeeze", 89, 0.03, "gather"), SitePoint("squeeze", 197, 0.05, "arithmetic")),
    prefix=1,
    steps=(197, 128, 96),
    tried=(
        TriedPlan("evit:4=95", 7.0, 0.05, 2.25, samples=96),
        TriedPlan(PLAN, 8.0, 0.0123, 0.5),
        TriedPlan("tome:6=127", 9.0, 0.01, 0.25),
    ),
    plan=PLAN,
    predicted_ms=8.0,
    limit_points=0.7,
    samples=200,
)
PREDICTED = replace(MEASURED, target="raspberry-pi-5", source="predicted")
NOTHING = replace(
    MEASURED, plan=None, predicted_ms=None, tried=MEASURED.tried[:1], note="every plan tried loses more than 0.7 points"
)


def a_run(*searches: TokenSearch) -> Run:
    """The plan was carried out, and something else as well."""
    reduced = PassRecord("reduce_tokens", PLAN, 1_250_000_000, 750_000_000)
    step = Contribution("reduce_tokens", PLAN, 1_250_000_000, 750_000_000, 12.2, 8.2, 0.6)
    by_plan = make_candidate(
        "litert/fp32/squeeze-gather",
        parent="litert/fp32/dense",
        passes=(reduced,),
        contributions=(step,),
        predictions=(make_prediction(10, 30),),
    )
    other = replace(by_plan, id="litert/fp32/evit", passes=(replace(reduced, settings="evit:0.7"),))
    return make_run(
        by_plan,
        make_candidate("litert/fp32/dense", predictions=(make_prediction(20, 50),)),
        replace(by_plan, id="litert/fp32/squeeze-arithmetic", status="rejected", predictions=()),
        other,
        replace(by_plan, id="openvino/fp32/squeeze-gather", backend="openvino"),
        token_searches=searches,
    )


def test_a_measured_search() -> None:
    assert token_searches_section(a_run(MEASURED), None).splitlines()[:22] == [
        "## Token search",
        "",
        "### Tokens for litert on this host within 0.7 points",
        "",
        "Searched for the fastest plan that drops at most 0.7 points on 200 images: each block was measured alone on this"
        " host, in float32. **Found: `squeeze:4=127,6=95`**, whose blocks, each measured alone, sum to 8.00 ms, against 12.0 ms with all"
        " tokens (1.50 ×). Whole artifacts, measured on this host: `litert/fp32/squeeze-gather` 12.2 → 8.20 ms (1.49 ×);"
        " `litert/fp32/squeeze-arithmetic` 12.2 → 8.20 ms (1.49 ×, rejected).",
        "",
        "| plan tried | blocks measured, sum | KL divergence | change | images |  |",
        "|---|--:|--:|--:|--:|---|",
        "| evit:4=95 | 7.00 ms | 0.05 nats | -2.25 pt | 96 | drops too much |",
        "| squeeze:4=127,6=95 | 8.00 ms | 0.0123 nats | -0.50 pt | 200 | chosen |",
        "| tome:6=127 | 9.00 ms | 0.01 nats | -0.25 pt | 200 | slower |",
        "",
        "| tokens | one block, measured |  | plan found |",
        "|--:|--:|---|---|",
        "| 197 | 1.00 ms | step | at the start |",
        "| 128 | 0.700 ms | step | after the attention of block 4 |",
        "| 120 | 0.700 ms |  |  |",
        "| 96 | 0.500 ms | step | after the attention of block 6 |",
        "",
        "Extra latency of reducing tokens, measured: squeeze 0.030 ms to 0.050 ms (gather or arithmetic).",
        "",
        token_searches_section(a_run(MEASURED), None).splitlines()[-1],
    ]
    assert token_searches_section(a_run(MEASURED), None) in details(a_run(MEASURED))


def test_a_predicted_search_is_told_in_other_words() -> None:
    lines = token_searches_section(a_run(PREDICTED), None).splitlines()
    assert lines[2:5] == [
        "### Tokens for litert on raspberry-pi-5 within 0.7 points",
        "",
        "Searched for the fastest plan that drops at most 0.7 points on 200 images: block latencies are what the device's"
        " cost model predicts, and nothing was timed. **Found: `squeeze:4=127,6=95`**, whose blocks are predicted to sum to"
        " 8.00 ms, against a predicted 12.0 ms with all tokens (1.50 ×, without an interval). Whole artifacts, measured on"
        " this host, which is not raspberry-pi-5: `litert/fp32/squeeze-gather` 12.2 → 8.20 ms (1.49 ×);"
        " `litert/fp32/squeeze-arithmetic` 12.2 → 8.20 ms (1.49 ×, rejected). Whole artifacts, predicted for"
        " raspberry-pi-5: `litert/fp32/dense` 20.0 ms to 50.0 ms; `litert/fp32/squeeze-gather` 10.0 ms to 30.0 ms.",
    ]
    assert "| plan tried | blocks predicted, sum | KL divergence | change | images |  |" in lines
    assert "| tokens | one block, predicted |  | plan found |" in lines
    assert any(line.startswith("Extra latency of reducing tokens, predicted:") for line in lines)
    tables = [line for line in lines if line.startswith("|")]
    assert not any("measured" in line or "timed" in line for line in tables)
    assert "predict" not in token_searches_section(a_run(MEASURED), None)


def test_nothing_found_is_said_with_the_reason() -> None:
    page = token_searches_section(a_run(NOTHING), None)
    assert "**No plan was found**: every plan tried loses more than 0.7 points.\n" in page
    assert "| evit:4=95 | 7.00 ms | 0.05 nats | -2.25 pt | 96 | drops too much |" in page
    assert "chosen" not in page
    assert "at the start" not in page


def test_a_search_that_ended_early_says_so() -> None:
    page = token_searches_section(a_run(replace(MEASURED, note="the time was over")), None)
    assert "with all tokens (1.50 ×) (the time was over). Whole artifacts" in page


def test_a_plan_that_no_artifact_has() -> None:
    assert "No artifact made with it was measured." in token_searches_section(
        make_run(token_searches=(MEASURED,)), "a.png"
    )


def test_there_is_no_section_without_a_search() -> None:
    assert token_searches_section(make_run(), None) == ""
    assert not any("Token search" in section for section in details(make_run()))


def test_each_search_has_a_part_and_all_have_one_picture() -> None:
    page = token_searches_section(a_run(MEASURED, PREDICTED, NOTHING), "report-tokens.png")
    assert page.count("\n### Tokens for ") == 3
    assert page.count("](report-tokens.png)") == 1
    assert page.count("Plans are listed in the order") == 1


def test_block_times_of_a_second_search_for_the_same_target_are_not_shown_again() -> None:
    careful = replace(MEASURED, limit_points=0.35)
    page = token_searches_section(a_run(MEASURED, careful, PREDICTED), None)
    assert page.count("| tokens | one block, measured |") == 1
    assert page.count("| tokens | one block, predicted |") == 1
    assert page.count("Extra latency of reducing tokens, measured") == 1
    assert page.count("| plan tried | blocks measured, sum |") == 2
    assert "### Tokens for litert on this host within 0.35 points" in page


def test_lines_for_a_terminal() -> None:
    assert search_line(MEASURED) == (
        "token search for litert on this host within 0.7 points (block latencies measured): squeeze:4=127,6=95,"
        " whose blocks, each measured alone, sum to 8.00 ms, against 12.0 ms with all tokens (1.50 ×)"
    )
    assert search_line(PREDICTED) == (
        "token search for litert on raspberry-pi-5 within 0.7 points (block latencies predicted, not measured): squeeze:4=127,6=95,"
        " whose blocks are predicted to sum to 8.00 ms, against a predicted 12.0 ms with all tokens"
        " (1.50 ×, without an interval)"
    )
    assert search_line(NOTHING) == (
        "token search for litert on this host within 0.7 points (block latencies measured): no plan:"
        " every plan tried loses more than 0.7 points"
    )


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
def test_tokens_on_the_way_count_prefix_tokens(prefix: int) -> None:
    search = replace(MEASURED, plan=f"squeeze:4={128 - prefix}", prefix=prefix)
    assert stops(search) == (Stop(0, 197), Stop(4, 128))


def test_without_a_plan_no_tokens_are_on_the_way() -> None:
    assert stops(NOTHING) == ()


@pytest.mark.parametrize(
    "searches",
    [
        (MEASURED,),
        (MEASURED, PREDICTED, NOTHING),
        (replace(MEASURED, blocks=MEASURED.blocks[-1:], steps=(197,)),),
        (replace(MEASURED, steps=()),),
    ],
    ids=["one", "three", "one point", "no steps"],
)
def test_the_staircase_is_drawn(searches: tuple[TokenSearch, ...], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.png", "b.png"):
        draw_staircases(a_run(*searches), tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first.startswith(b"\x89PNG\r\n")
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    "searches",
    [(), (replace(MEASURED, blocks=()),), (replace(MEASURED, blocks=(BlockPoint(197, float("nan")),)),)],
    ids=["no search", "no blocks", "not finite"],
)
def test_nothing_to_draw_is_an_error_and_no_file(searches: tuple[TokenSearch, ...], tmp_path: Path) -> None:
    run = a_run(*searches)
    assert not can_draw_staircases(run)
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_staircases(run, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_the_report_has_the_picture_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = write_report(a_run(MEASURED), tmp_path).read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report-tokens.png", "report.md", "report.png"]
    assert "](report-tokens.png)" in page


def test_without_matplotlib_there_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevit.report.importlib.util.find_spec", lambda name: None)
    page = write_report(a_run(MEASURED), tmp_path).read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert "![" not in page


SIZES = (
    TriedSize(208, 1_060_000_000, 0.0, Interval(-1.25, 1.25), 200, tokens=170),
    TriedSize(192, 890_000_000, 2.5, Interval(1.0, 4.0), 96, tokens=145),
)
BOTH = replace(MEASURED, plan=f"resolution:208+{PLAN}", sizes=SIZES)
SIZE = TokenSearch(
    "litert", "host", "none", None, (), (), 0, (), (), "resolution:208", None, 0.7, 200,
    sizes=tuple(replace(size, tokens=None) for size in SIZES),
)  # fmt: skip


def test_sizes_that_were_tried_are_told_with_what_they_lost() -> None:
    lines = token_searches_section(a_run(BOTH), None).splitlines()
    start = lines.index("| image | tokens at the start | MACs | change (95 %) | images |  |")
    assert lines[start + 2 : start + 4] == [
        "| 208 x 208 | 170 | 1.06 G | +0.00 pt (-1.25 to +1.25) | 200 | chosen |",
        "| 192 x 192 | 145 | 890.00 M | -2.50 pt (-4.00 to -1.00) | 96 | drops too much |",
    ]
    assert start < lines.index("| plan tried | blocks measured, sum | KL divergence | change | images |  |")
    assert stops(BOTH) == (Stop(0, 170), Stop(4, 128), Stop(6, 96))
    alone = replace(MEASURED, plan="resolution:208", sizes=SIZES)
    assert stops(alone) == (Stop(0, 170),)


def test_a_size_that_held_but_is_not_in_the_plan() -> None:
    page = token_searches_section(a_run(replace(MEASURED, sizes=SIZES)), None)
    assert "| +0.00 pt (-1.25 to +1.25) | 200 | within the limit |" in page


def test_a_search_for_the_size_alone_speaks_of_no_times() -> None:
    resized = PassRecord("resize", "resolution:208", 1_250_000_000, 1_060_000_000)
    step = Contribution("resize", "resolution:208", 1_250_000_000, 1_060_000_000, 12.2, 10.6, 0.0)
    smaller = make_candidate(
        "litert/fp32/resolution-208", parent="litert/fp32/dense", passes=(resized,), contributions=(step,)
    )
    page = token_searches_section(make_run(smaller, token_searches=(SIZE,)), None)
    assert page.splitlines()[2:5] == [
        "### Input size for litert within 0.7 points",
        "",
        "Searched for the smallest image that drops at most 0.7 points on 200 images: none of this model's tokens can"
        " leave, and a smaller image is less of the same work. **Found: `resolution:208`**, the smallest image within the"
        " limit, 1.06 G MACs. Whole artifacts, measured on this host: `litert/fp32/resolution-208` 12.2 → 10.6 ms"
        " (1.15 ×).",
    ]
    assert "Plans are listed" not in page and page.splitlines()[-1].startswith("Smaller images are tried first")
    assert "| 208 x 208 | – | 1.06 G | +0.00 pt (-1.25 to +1.25) | 200 | chosen |" in page
    assert search_line(SIZE) == (
        "search for the input size for litert within 0.7 points: resolution:208, the smallest image within the limit,"
        " 1.06 G MACs"
    )
    assert not can_draw_staircases(a_run(SIZE))


def test_no_size_within_the_limit_says_why() -> None:
    nothing = replace(
        SIZE, plan=None, sizes=SIZES[1:], note="images of 192 pixels already lose more than 0.7 points, 2.5"
    )
    assert "**No plan was found**: images of 192 pixels already" in token_searches_section(a_run(nothing), None)


def test_what_a_short_fine_tuning_regained_is_told() -> None:
    fast = TunedPlan("squeeze:2=60", 6.0, 960, 51.2, 0.105, 0.0749, 4.25, 1.5, 1.25, Interval(-0.5, 3.5))
    slower = TunedPlan(PLAN, 8.0, 640, 40.0, 0.0623, 0.0412, 2.0, 0.5, 0.5)
    tried = (TriedPlan("squeeze:2=60", 6.0, 0.09, 4.25), TriedPlan(PLAN, 8.0, 0.0123, 2.0))
    lines = token_searches_section(a_run(replace(MEASURED, tried=tried, tuned=(fast, slower))), None).splitlines()
    assert lines[4].startswith("Searched for the fastest plan that drops at most 0.7 points after fine-tuning on")
    start = lines.index(
        "| plan tuned shortly | blocks measured, sum | views | KL divergence | change untuned | tuned (95 %) | expected |  |"
    )
    assert lines[start + 2 : start + 4] == [
        "| squeeze:2=60 | 6.00 ms | 960 in 51 s | 0.105 → 0.0749 nats | -4.25 pt | -1.50 pt (-3.50 to +0.50) | -1.25 pt | drops too much |",
        f"| {PLAN} | 8.00 ms | 640 in 40 s | 0.0623 → 0.0412 nats | -2.00 pt | -0.50 pt | -0.50 pt | chosen |",
    ]
    assert "| squeeze:2=60 | 6.00 ms | 0.09 nats | -4.25 pt | 200 | tuned shortly |" in lines
    assert lines[-1].startswith("Fine-tuning follows")
