"""What names a task: all that its answer depends on, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edgevit.run.files import file_sha256
from edgevit.run.task import Task


@dataclass(frozen=True)
class Job:
    program: Path
    folder: Path
    level: int = 1


@dataclass(frozen=True)
class Done:
    value: int


def work(job: Job) -> Done:
    return Done(job.level)


def other_work(job: Job) -> Done:
    return Done(job.level)


def make(root: Path, content: bytes = b"weights", level: int = 1) -> Task[Job, Done]:
    root.mkdir(exist_ok=True)
    (root / "program").write_bytes(content)
    return Task(work, Job(root / "program", root / "out", level), Done, inputs=(root / "program",))


def key(task: Task[Job, Done], root: Path) -> str:
    return task.key(root, file_sha256)


def test_the_same_task_in_another_folder_has_the_same_name(tmp_path: Path) -> None:
    one, other = make(tmp_path / "a"), make(tmp_path / "b")
    assert key(one, tmp_path / "a") == key(other, tmp_path / "b")


@pytest.mark.parametrize("changes", [{"content": b"other weights"}, {"level": 2}])
def test_another_input_or_value_gives_another_name(tmp_path: Path, changes: dict[str, object]) -> None:
    one = key(make(tmp_path / "a"), tmp_path / "a")
    assert key(make(tmp_path / "a", **changes), tmp_path / "a") != one  # type: ignore[arg-type]


def test_another_function_gives_another_name(tmp_path: Path) -> None:
    task = make(tmp_path / "a")
    assert key(replace(task, function=other_work), tmp_path / "a") != key(task, tmp_path / "a")


def test_where_and_when_it_runs_do_not_name_it(tmp_path: Path) -> None:
    task = make(tmp_path / "a")
    assert key(replace(task, preload=("json",), timing=True), tmp_path / "a") == key(task, tmp_path / "a")
