"""Whatever receives progress has the methods of the protocol; the default does nothing."""

from __future__ import annotations

import inspect

import pytest

from edgevit.cli.terminal import Bars, CandidateLines, Lines
from edgevit.run.progress import PlannedStages, Progress, RunPlan, Silent
from edgevit.run.run_log import RunLog
from tests.factories import KeptProgress


@pytest.mark.parametrize("kind", [Silent, Lines, CandidateLines, Bars, RunLog, KeptProgress])
def test_every_callback_has_the_methods_of_the_protocol(kind: type) -> None:
    methods = {name: member for name, member in vars(Progress).items() if inspect.isfunction(member) and name[0] != "_"}
    assert set(methods) == {"begin", "stage", "failed", "candidate", "message", "detail"}
    for name, method in methods.items():
        assert inspect.signature(getattr(kind, name)) == inspect.signature(method)


def test_silent_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    progress: Progress = Silent()
    progress.begin(RunPlan(("a",), (PlannedStages("measure", 1, 2.0, alone=True),), 1, 2.0))
    for done in range(3):
        progress.stage("measure", done, 2)
    progress.failed("compare")
    progress.candidate("a: 3 ms")
    progress.message("chosen: a")
    progress.detail("why")
    assert capfd.readouterr() == ("", "")


def test_a_plan_counts_its_stages() -> None:
    stages = (PlannedStages("export", 3, 5.0), PlannedStages("measure", 2, 3.0, alone=True))
    assert RunPlan(("a", "b"), stages, 2, 14.0).stage_count == 5
