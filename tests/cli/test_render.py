"""Tables never lose a word, and progress is a few lines where nobody watches."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from edgevit.cli import render, terminal
from edgevit.results.candidate import Contribution
from edgevit.results.run import Run
from edgevit.results.token_search import TokenSearch
from tests.factories import make_realistic_run


def narrow(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    def make(stream: object = None) -> Console:
        return Console(file=sys.stdout, width=columns, markup=False, highlight=False, color_system=None)

    monkeypatch.setattr(render, "console", make)


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(("name", "what"), [("a" * 60, "[bold]b " * 30)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "a" * 60 + "   " + ("[bold]b " * 30).rstrip()


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
        "token search for openvino on this host within 0.7 points (block times measured): evit:4=95,"
        " whose blocks add up to 8.00 ms as timed one by one, against 12.0 ms with all tokens (1.50 ×)",
        "token search for litert on raspberry-pi-5 within 0.7 points (block times predicted, not measured): no plan: no plan is faster",
        "openvino/static_wi8_ai8, 2 steps from the dense float candidate: 4.46 × the speed",
        "  reduce_tokens evit:4=95: 1.25 G → 750.00 M MACs, 12.2 → 8.20 ms (1.49 ×), +0.6 pt",
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
    assert "openvino/static_wi8_ai8         chosen     82.2 %    +0.5 pt   10.6 ms   11.7 ms     2.40 ×" in out
    assert "onnxruntime/static_wi8_ai8 rejected: accuracy drop 10.2 pt is over 1.0 pt" in out
    assert "predicted on raspberry-pi-5" in out
    assert "\x1b" not in out


def test_lines_speak_at_the_ends_of_a_stage_and_seldom_between(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("edgevit.cli.render.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with terminal.Lines(stream) as progress:
        for step in range(31):
            now[0] = float(step)
            progress.stage("measure", step, 30)
        progress.stage("measure", 30, 30)
        progress.stage("report", 1, 1)
        progress.message("chosen: a[b]")
    assert stream.getvalue().splitlines() == [
        "measure: started",
        "measure: 33 %, about 20.0 s left",
        "measure: 67 %, about 10.0 s left",
        "measure: done in 30.0 s",
        "report: done in 0.0 s",
        "chosen: a[b]",
    ]


def test_bars_leave_a_line_per_finished_stage() -> None:
    stream = io.StringIO()
    with terminal.Bars(Console(file=stream, width=80, force_terminal=False, markup=False)) as progress:
        progress.stage("export [onnx]", 0, 2)
        progress.stage("export [onnx]", 1, 2)
        progress.message("rejected: [bold]")
        progress.stage("export [onnx]", 2, 2)
        progress.stage("export [onnx]", 2, 2)
    lines = [line for line in stream.getvalue().splitlines() if line.strip()]
    assert "rejected: [bold]" in lines
    assert sum(line.startswith("export [onnx]: done in") for line in lines) == 1


def test_progress_is_plain_where_stderr_is_no_terminal() -> None:
    assert isinstance(terminal.make_progress(), terminal.Lines)
