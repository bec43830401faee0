"""Results as text: nothing is lost at any width."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from edgevit.cli import render
from edgevit.results.candidate import Contribution
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
    if columns == 80:
        assert "not shown in this width: " in out


def test_a_whole_run_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    render.print_run(make_realistic_run())
    out = capsys.readouterr().out
    assert "openvino/static_wi8_ai8         chosen     82.2 %    -0.5 pt    10.6 ms          2.40 ×" in out
    assert "onnxruntime/static_wi8_ai8 rejected: accuracy drop 10.2 pt is over 1.0 pt" in out
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
    titles = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("candidate "))
    assert titles.split("  ")[0] == "candidate"
    assert {"top-1", "host p50", "host speed-up"} <= {title.strip() for title in titles.split("  ")}
    assert "interval" not in titles


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
    render.print_summary(replace(summary, contract=make_contract(classes=())))
    assert "classes: not named" in capsys.readouterr().out
    render.print_summary(replace(summary, contract=None))
    assert "the file does not say how they are preprocessed" in capsys.readouterr().out
