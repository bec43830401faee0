"""A caller hears what is done, one event at a time, and ``logging`` has the same lines."""

from __future__ import annotations

import logging
import threading

import pytest

import edgevit
from edgevit.api.progress import ProgressEvent, told
from edgevit.run.progress import PlannedStages, RunPlan

PLAN = RunPlan(("a", "b"), (PlannedStages("export", 2, 60.0),), 1, 120.0)


def test_events_say_what_is_done_and_how_long_the_rest_takes() -> None:
    events: list[ProgressEvent] = []
    progress = told("compress", events.append)
    progress.message("run folder: run")
    progress.begin(PLAN)
    progress.stage("export a", 0, 2)
    progress.stage("export a", 1, 2, "loss 0.5")
    progress.stage("export a", 2, 2)
    progress.stage("export a", 2, 2)  # a stage that is read back is told again
    progress.failed("export b")
    progress.candidate("a: ok")
    progress.detail("rung 1")
    assert [(event.kind, event.text, event.done, event.total, event.note) for event in events] == [
        ("message", "run folder: run", 0, 0, ""),
        ("plan", "2 candidates in 2 stages, about 120 s", 0, 0, ""),
        ("stage", "export a", 0, 2, ""),
        ("stage", "export a", 1, 2, "loss 0.5"),
        ("stage", "export a", 2, 2, ""),
        ("failed", "export b", 0, 0, ""),
        ("candidate", "a: ok", 0, 0, ""),
        ("detail", "rung 1", 0, 0, ""),
    ]
    assert events[0].seconds_left is None
    assert events[1].seconds_left == pytest.approx(120.0, abs=1)
    assert events[-1].seconds_left == pytest.approx(0.0, abs=1)


def test_the_same_lines_are_logged_by_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="edgevit")
    progress = told("bench", None)
    progress.stage("measure 100 %s", 0, 1)
    progress.stage("measure 100 %s", 1, 1)
    progress.message("warning: few images")
    progress.message("classes by output: 0 a")
    progress.failed("export b")
    progress.candidate("a: ok")
    progress.detail("rung 1")
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("edgevit.bench", "DEBUG", "measure 100 %s: started"),
        ("edgevit.bench", "INFO", "measure 100 %s: done"),
        ("edgevit.bench", "WARNING", "few images"),
        ("edgevit.bench", "INFO", "classes by output: 0 a"),
        ("edgevit.bench", "WARNING", "export b: failed"),
        ("edgevit.bench", "INFO", "a: ok"),
        ("edgevit.bench", "DEBUG", "rung 1"),
    ]


def test_edgevit_has_no_handler_but_the_null_one() -> None:
    assert edgevit.__version__
    assert [type(handler) for handler in logging.getLogger("edgevit").handlers] == [logging.NullHandler]


def test_a_callback_gets_one_event_at_a_time() -> None:
    inside, together = threading.Lock(), []

    def callback(event: ProgressEvent) -> None:
        together.append(not inside.acquire(blocking=False))
        inside.release()

    progress = told("compress", callback)

    def work(part: int) -> None:
        for step in range(200):
            progress.stage(f"export {part} {step}", 0, 1)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(together) == 800
    assert not any(together)


def test_what_a_callback_raises_ends_the_call() -> None:
    def stop(event: ProgressEvent) -> None:
        raise TimeoutError(event.text)

    with pytest.raises(TimeoutError, match="measure"):
        told("bench", stop).stage("measure", 0, 1)
