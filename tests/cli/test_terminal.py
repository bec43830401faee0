"""Tables keep every word, and progress is a few lines where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgevit.cli import terminal


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(("name", "what"), [("a" * 60, "[bold]b " * 30)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "a" * 60 + "   " + ("[bold]b " * 30).rstrip()


def test_lines_speak_at_the_ends_of_a_stage_and_seldom_between(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("edgevit.cli.terminal.time.monotonic", lambda: now[0])
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
