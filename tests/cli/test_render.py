"""Results as text: nothing is lost at any width."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edgevit import units
from edgevit.cli import render
from edgevit.report.plans import plan_of
from edgevit.report.table import columns, rows_of
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Contribution, OutputDifference
from edgevit.results.classification import ClassAnswer, Classification, ClassifiedImage
from edgevit.results.graph_summary import Summary
from edgevit.results.run import Run
from edgevit.results.token_search import TokenSearch
from tests.factories import make_contract, make_realistic_run, make_timed_run


def narrow(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    def make(stream: object = None) -> Console:
        return Console(file=sys.stdout, width=columns, markup=False, highlight=False, color_system=None)

    monkeypatch.setattr("edgevit.cli.render.console", make)
    monkeypatch.setattr("edgevit.cli.terminal.console", make)


def reduced() -> Run:
    """A run whose chosen candidate went through two steps, after a search on this host and one for a device."""
    run = make_realistic_run()
    steps = (
        Contribution("reduce_tokens", "evit:4=95 (evit-4=95-gather)", 1_250_000_000, 750_000_000, 12.2, 8.2, 0.6),
        Contribution("quantize", "static_wi8_ai8: mean min max", 750_000_000, 700_000_000, 8.4, 2.8, None),
    )
    candidates = tuple(replace(c, contributions=steps) if c.id == run.selected else c for c in run.candidates)
    found = TokenSearch("openvino", "host", "measured", 12.0, (), (), 1, (), (), "evit:4=95", 8.0, 0.7, 855)
    nothing = replace(
        found, backend="litert", target="raspberry-pi-5", source="predicted", plan=None, note="no plan is faster"
    )
    return replace(run, candidates=candidates, token_searches=(found, nothing))


def test_token_searches_and_the_steps_to_the_chosen_one_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_run(reduced())
    assert capsys.readouterr().out.splitlines()[-6:] == [
        "token search for openvino on this host within 0.7 points (block latencies measured): evit:4=95,"
        " whose blocks, each measured alone, sum to 8.00 ms, against 12.0 ms with all tokens (1.50 ×)",
        "token search for litert on raspberry-pi-5 within 0.7 points (block latencies predicted, not measured):"
        " no plan: no plan is faster",
        "openvino/static_wi8_ai8, 2 steps from the dense float candidate: 4.46 × the speed on this host",
        "  reduce_tokens evit:4=95: 1.25 G → 750.00 M MACs, 12.2 → 8.20 ms (1.49 ×), top-1 -0.6 pt",
        "  quantize static_wi8_ai8: 750.00 M → 700.00 M MACs, 8.40 → 2.80 ms (3.00 ×)",
        "chosen: openvino/static_wi8_ai8",
    ]


def test_a_run_without_token_reduction_has_no_words_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_run(make_realistic_run())
    out = capsys.readouterr().out
    assert "token search" not in out
    assert "from the dense float candidate" not in out


@pytest.mark.parametrize("columns", [200, 100, 80, 60, 40])
def test_a_run_fits_any_width_and_keeps_what_matters(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow(monkeypatch, columns)
    render.print_run(reduced())
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    words = "".join(out.split())
    assert "chosen:openvino/static_wi8_ai8" in words
    assert "10.6" in words
    if columns == 60:
        assert "not shown in this width: " in out


def test_a_whole_run_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_run(make_realistic_run())
    out = capsys.readouterr().out
    assert "   1  openvino     static_wi8_ai8     dense  chosen    82.2 %   -0.5 pt  10.6 ms    2.40 ×" in out
    assert "rank 4, onnxruntime/static_wi8_ai8 rejected: accuracy drop 10.2 pt is over 1.0 pt" in out
    assert "predicted on raspberry-pi-5" in out
    assert "\x1b" not in out


def test_a_quick_run_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_timed_run()
    render.print_run(replace(run, spec={**run.spec, "quick": True}))
    assert capsys.readouterr().out.startswith("vit_tiny_patch16_224 (quick run): ")


def test_a_choice_says_what_ties_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_run(make_timed_run())
    out = capsys.readouterr().out
    assert out.splitlines()[-2:] == [
        "chosen: openvino/static_wi8_ai8",
        "  tied with litert/dynamic_wi8_afp32: the interval of their paired ratio contains 1;"
        " of these the most accurate is chosen, then the smallest",
    ]
    assert "in parentheses: a single measurement, outside the final round" in out
    assert "litert/dynamic_wi8_afp32 tied, unstable: latency disturbed: steal time 12 % in 2 of 3 bursts" in out


def test_a_choice_for_devices_is_told_by_its_predictions(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_timed_run("raspberry-pi-5")
    run = replace(run, selected_for={**run.selected_for, "coral-edge-tpu": None})
    render.print_run(run)
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "chosen: litert/dynamic_wi8_afp32",
        "  for raspberry-pi-5: litert/dynamic_wi8_afp32, predicted 40.0 ms there (20.0 ms to 60.0 ms), not measured,"
        " p50 12.7 ms measured on this host (12.1 to 12.9 ms)",
        "  for coral-edge-tpu: none",
    ]


def test_a_run_with_intervals_fits_a_narrow_terminal_without_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow(monkeypatch, 100)
    render.print_run(make_timed_run())
    titles = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("rank "))
    assert titles.split() == [
        "rank", "runtime", "scheme", "plan", "status", "top-1", "change", "latency", "speed-up",
    ]  # fmt: skip


def with_plans(run: Run, *plans: str) -> Run:
    """A run whose first candidates have these token plans."""
    passes = [(PassRecord("reduce_tokens", plan, 2_000_000, 1_000_000),) for plan in plans]
    changed = [replace(c, id=f"{c.id}/x-gather", passes=done) for c, done in zip(run.candidates, passes, strict=False)]
    return replace(run, candidates=(*changed, *run.candidates[len(changed) :]), selected=None)


@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize(
    "plans", [(), ("evit:0.7@2,4",), ("squeeze:4=159,6=103,10=63", "resolution:208+tome:4=118,7=71")]
)
def test_rank_runtime_scheme_plan_accuracy_and_latency_fit_80_columns_uncut(
    plans: tuple[str, ...], labels: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow(monkeypatch, 80)
    run = with_plans(make_realistic_run(labels=labels), *plans)
    render.print_run(run)
    out = capsys.readouterr().out
    titles, rule, *lines = out.partition("\nrank ")[2].splitlines()
    wanted = ["runtime", "scheme", "plan", "top-1" if labels else "agreement", "latency"]
    assert [title for title in titles.split() if title in wanted] == wanted
    rows = lines[: len(run.candidates)]
    assert set(rule) == {"─"} and max(map(len, rows)) <= 80
    assert [row.split()[0] for row in rows] == [str(rank) for rank in range(1, 11)]  # one line for each
    for row, candidate in zip(rows, rows_of(run), strict=True):
        assert candidate.backend in row.split() and candidate.scheme in row.split()
        assert units.milliseconds(candidate.p50_ms) in row
        plan = plan_of(candidate)
        label = next((line.removesuffix(f": {plan}") for line in lines if line.endswith(f": {plan}")), plan)
        assert label in row


def test_a_wide_table_has_every_column(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    narrow(monkeypatch, 80)
    run = make_timed_run()
    render.print_run(run, wide=True)
    titles = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("rank "))
    assert re.split(" {2,}", titles) == [column.title for column in columns(run)]


def test_predictions_name_candidates_by_rank_where_ids_have_no_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow(monkeypatch, 50)
    run = make_realistic_run()
    render.print_run(run)
    below = capsys.readouterr().out.partition("predicted on raspberry-pi-5\n")[2].splitlines()
    fifth = rows_of(run)[4]
    shown = fifth.predictions[0].latency_ms
    assert shown is not None
    assert [line.split()[0] for line in below[1:3]] == ["1", "2"]
    assert [units.milliseconds(shown.p50) in line for line in below if line.split()[:1] == ["5"]] == [True]


def test_a_classified_image_is_a_line_and_its_classes(capsys: pytest.CaptureFixture[str]) -> None:
    answers = (ClassAnswer("tench, Tinca tinca", 0.9312), ClassAnswer("goldfish", 0.05))
    render.print_classification(Classification((ClassifiedImage("a.jpg", answers, 12.3, 20.0),)))
    assert capsys.readouterr().out.splitlines() == [
        "a.jpg (20.0 ms, of which inference 12.3 ms)",
        "  93.1 %  tench, Tinca tinca",
        "   5.0 %  goldfish",
    ]


def test_a_summary_says_how_a_file_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(Path("model.onnx"), "onnxruntime", 1000, 1, ("x",), ("y",), 10, 20, 0.0, (), make_contract())
    render.print_summary(summary)
    shown = capsys.readouterr().out
    assert "32 × 48 pixels, bilinear, crop 0.875 (center), mean 0.485, 0.456, 0.406" in shown
    assert 'classes by output: 0 daisy, 1 a "rose" & <é>, 2 tulip' in shown
    assert "made by edgevit 0.1.0: static_wi8_ai8, spec cdcdcdcdcdcd" in shown
    assert "pixels as they are" not in shown
    render.print_summary(replace(summary, contract=make_contract(embeds_preprocessing=True)))
    assert (
        "input: pixels as they are, RGB, 0 to 255; mean and standard deviation are in the graph"
        in capsys.readouterr().out
    )
    render.print_summary(replace(summary, contract=make_contract(classes=())))
    assert "classes: not named" in capsys.readouterr().out
    render.print_summary(replace(summary, contract=None))
    assert "the file does not say how they are preprocessed" in capsys.readouterr().out


def test_every_output_of_a_model_that_is_no_classifier_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_realistic_run()
    outputs = (OutputDifference("map", (21, 4, 4), 0.5, 1.25e-2, 31.4, 0.99871),)
    candidates = tuple(
        replace(each, verification=each.verification and replace(each.verification, outputs=outputs))
        for each in run.candidates
    )
    render.print_run(run)
    assert "21 x 4 x 4" not in capsys.readouterr().out
    render.print_run(replace(run, candidates=candidates))
    shown = capsys.readouterr().out
    assert "31.4 dB" in shown
    assert "0.99871" in shown
