"""Tables keep every word, and progress is a few lines where there is no terminal."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from edgevit.cli import terminal
from edgevit.run.progress import PlannedStages, RunPlan

PLAN = RunPlan(("a", "b"), (PlannedStages("export", 2, 60.0),), 1, 120.0, ("the repair ladder",))


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(("name", "what"), [("a" * 60, "[bold]b " * 30)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "a" * 60 + "  " + ("[bold]b " * 30).rstrip()


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("200", 200), (None, 500)])
def test_a_pipe_is_as_wide_as_columns_says(columns: str | None, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    assert terminal.console().width == width


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
    with terminal.make_progress() as progress:
        assert isinstance(progress, terminal.Lines)


def test_a_run_on_a_pipe_gives_a_line_per_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("edgevit.cli.terminal.time.monotonic", lambda: now[0])
    stream = io.StringIO()
    with terminal.CandidateLines(stream) as progress:
        progress.stage("check images", 0, 1)
        progress.begin(PLAN)
        progress.stage("export a", 0, 1)
        progress.detail("rung 1")
        now[0] = 60.0
        progress.stage("export a", 1, 1)
        progress.candidate("a: ok")
        progress.failed("export b")
        progress.candidate("b: failed: no memory")
        progress.message("warning: few images")
    assert stream.getvalue().splitlines() == [
        "will make 2 candidates in 2 stages: about 2 min on this machine; more with the repair ladder",
        "a: ok (stage 1 of 2, about 60 s left)",
        "b: failed: no memory (stage 2 of 2, about 1 s left)",
        "warning: few images",
    ]


def test_bars_show_the_running_stages_and_the_whole_run() -> None:
    stream = io.StringIO()
    shown = Console(file=stream, width=80, force_terminal=True, markup=False, color_system=None)
    with terminal.Bars(shown, verbose=False) as progress:
        progress.begin(PLAN)
        progress.stage("export a", 0, 1)
        progress.stage("export b", 0, 1)
        progress.detail("rung 1")
        progress._progress.refresh()
        bars = stream.getvalue()
        progress.stage("export a", 1, 1)
        progress.failed("export b")
        progress.candidate("a: ok")
    assert "export a" in bars
    assert "export b" in bars
    assert "stage 0 of 2" in bars
    assert "about 2 min left" in bars
    assert "a: ok" in stream.getvalue()
    assert "done in" not in stream.getvalue()
    assert "rung 1" not in stream.getvalue()


@pytest.mark.parametrize("kind", ["lines", "candidate lines", "bars"])
def test_progress_may_come_from_several_threads(kind: str) -> None:
    stream = io.StringIO()
    shown: terminal.Lines | terminal.CandidateLines | terminal.Bars
    if kind == "bars":
        shown = terminal.Bars(Console(file=stream, width=80, force_terminal=False, markup=False))
    else:
        shown = terminal.Lines(stream) if kind == "lines" else terminal.CandidateLines(stream)
    failures: list[Exception] = []

    def work(part: int) -> None:
        try:
            for number in range(20):
                for done in range(3):
                    shown.stage(f"export {part} {number}", done, 2)
                shown.candidate(f"candidate {part} {number}")
        except Exception as error:  # noqa: BLE001  a thread would swallow it
            failures.append(error)

    with shown:
        shown.begin(RunPlan(("a",), (PlannedStages("export", 80, 1.0),), 4, 20.0))
        threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert sum(line.startswith("candidate ") for line in stream.getvalue().splitlines()) == 80


def test_every_line_is_printed_where_it_is_asked_for() -> None:
    stream = io.StringIO()
    with terminal.Lines(stream) as progress:
        progress.begin(PLAN)
        progress.stage("export a", 1, 1)
        progress.failed("export b")
        progress.detail("rung 1")
    lines = stream.getvalue().splitlines()
    assert lines[1].startswith("export a: done in 0.0 s (stage 1 of 2, about ")
    assert lines[2].startswith("export b: failed (stage 2 of 2")
    assert lines[3] == "rung 1"


def test_what_a_step_gave_stands_beside_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 20.0, 40.0])
    monkeypatch.setattr("edgevit.cli.terminal.time.monotonic", lambda: next(now))
    stream = io.StringIO()
    shown = terminal.Lines(stream)
    shown.stage("fine-tune", 0, 10)
    shown.stage("fine-tune", 5, 10, "loss 0.25")
    assert "fine-tune: 50 %" in stream.getvalue()
    assert "; loss 0.25" in stream.getvalue()
