"""Tasks in child processes: progress, time limits, and logs that stay only where an error names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.errors import CandidateFailed, UsageError
from edgevit.run.executor import Executor
from edgevit.run.folder import RunFolder
from edgevit.run.stages import Stages, child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import Spec
from tests.factories import KeptProgress
from tests.run import child_jobs as jobs
from tests.run.child_jobs import Answer, Question


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a child import the functions of ``child_jobs``."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_a_command_needs_no_run_folder_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    heard = KeptProgress()
    with child_runner(heard) as children:
        assert children.run("add up", Task(jobs.add, Question(numbers=(1.0, 2.0)), Answer)).total == 3.0
        assert children.run("count", Task(jobs.count, Question(), Answer)).total == 0
    assert heard.stages[:2] == [("add up", 0, 1), ("add up", 1, 1)]
    assert heard.stages[2:] == [("count", 0, 1), ("count", 1, 3), ("count", 2, 3), ("count", 3, 3), ("count", 1, 1)]
    assert list(tmp_path.iterdir()) == []


def test_the_log_that_an_error_names_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(CandidateFailed) as caught, child_runner(KeptProgress(), timeout_seconds=0.01) as children:
        children.run("sleep", Task(jobs.sleep, Question(), Answer))
    assert "0.01 s" in caught.value.message
    assert [path.name for path in tmp_path.glob("*/*")] == ["log"]


def test_after_wrong_input_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(UsageError), child_runner(KeptProgress()):
        raise UsageError("wrong")
    assert list(tmp_path.iterdir()) == []


def test_a_stage_of_a_run_is_carried_out_once(tmp_path: Path) -> None:
    spec, heard = Spec.model_validate({"model": {"name": "m"}}), KeptProgress()
    task = Task(jobs.add, Question(numbers=(1.0, 2.0)), Answer)
    with (
        RunFolder(tmp_path / "run", spec, (), False) as folder,
        Executor(1, 60.0, tmp_path / "servers.log") as executor,
    ):
        stages = Stages(folder, executor, heard)
        first = stages.run_in_child("add up", "adding", task)
        assert stages.run_in_child("add up", "adding", task) == first  # the process id too: it was read back
        assert [stage.name for stage in folder.stages] == ["add up"]
        assert folder.log("adding").read_text().startswith("--- tests.run.child_jobs:add")
    assert heard.stages == [("add up", 0, 1), *[("add up", 1, 1)] * 3]


def test_a_stage_that_fails_is_told_as_such(tmp_path: Path) -> None:
    spec, heard = Spec.model_validate({"model": {"name": "m"}}), KeptProgress()
    with (
        RunFolder(tmp_path / "run", spec, (), False) as folder,
        Executor(1, 0.01, tmp_path / "servers.log") as executor,
        pytest.raises(CandidateFailed),
    ):
        Stages(folder, executor, heard).run_in_child("sleep", "sleeping", Task(jobs.sleep, Question(), Answer))
    assert heard.stages == [("sleep", 0, 1)]
    assert heard.failures == ["sleep"]
