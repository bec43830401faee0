"""The log has everything with the time, and passes it on."""

from __future__ import annotations

import threading
from pathlib import Path

from edgevit.run.progress import PlannedStages, RunPlan
from edgevit.run.run_log import RunLog
from tests.factories import KeptProgress


def test_everything_is_written_and_passed_on(tmp_path: Path) -> None:
    shown, file = KeptProgress(), tmp_path / "logs" / "run.log"
    plan = RunPlan(("a", "b"), (PlannedStages("export", 2, 5.0),), 2, 5.0)
    with RunLog(file, shown) as log:
        log.begin(plan)
        log.stage("export a", 0, 1)
        log.stage("export b", 0, 1)
        log.stage("export a", 1, 1)
        log.stage("export a", 1, 1)
        log.failed("export b")
        log.candidate("a: ok")
        log.detail("rung 1")
    lines = [line[9:] for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines == [
        "plan: 2 candidates, 2 stages, about 5 s: a, b",
        "export a: started",
        "export b: started",
        "export a: done in 0.0 s",
        "export b: failed",
        "a: ok",
        "rung 1",
    ]
    assert (shown.plans, shown.failures, shown.candidates, shown.details) == (
        [plan],
        ["export b"],
        ["a: ok"],
        ["rung 1"],
    )
    assert len(shown.stages) == 4


def test_a_resumed_run_appends(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with RunLog(tmp_path / "run.log", KeptProgress()) as log:
            log.message(text)
    assert [line[9:] for line in (tmp_path / "run.log").read_text().splitlines()] == ["first", "second"]


def test_threads_do_not_mix_lines(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run.log", KeptProgress()) as log:

        def tell(name: str) -> None:
            for _ in range(50):
                log.message(name * 200)

        threads = [threading.Thread(target=tell, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [line[9:] for line in (tmp_path / "run.log").read_text().splitlines()]
    assert sorted(lines) == sorted(name * 200 for name in "abcd" for _ in range(50))


def test_control_characters_of_names_are_written_out(tmp_path: Path) -> None:
    with RunLog(tmp_path / "run.log", KeptProgress()) as log:
        log.detail("export \x1b[31mred")
    assert (tmp_path / "run.log").read_text()[9:] == "export \\x1b[31mred\n"
