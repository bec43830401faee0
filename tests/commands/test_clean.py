"""Ended runs are cleaned; anything else is refused before a file is removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli.app import run as edgevit
from edgevit.commands.clean import CleanedRun, clean_runs
from edgevit.errors import UsageError
from edgevit.run.folder import RunFolder
from edgevit.spec.spec import Spec

SPEC = Spec.model_validate({"model": {"name": "m"}})


def begun(path: Path) -> Path:
    """A run folder with 300 bytes in ``work``."""
    with RunFolder(path, SPEC, (), False) as folder:
        folder.work("program.pt2").write_bytes(bytes(300))
    return path


def ended(path: Path) -> Path:
    """The same of a run that has ended."""
    (begun(path) / "run.json").write_text("{}")
    return path


def test_runs_are_cleaned_and_may_be_cleaned_again(tmp_path: Path) -> None:
    runs = [ended(tmp_path / "a"), ended(tmp_path / "b")]
    first = clean_runs(runs)
    assert [(run.path, run.freed_bytes) for run in first] == [(path, 300) for path in runs]
    assert clean_runs([runs[0], runs[0]]) == (CleanedRun(runs[0], 0, first[0].left_bytes),)
    assert not (runs[1] / "work").exists()


def test_what_is_not_a_run_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "photos"
    (other / "work").mkdir(parents=True)
    (other / "run.json").write_text("{}")
    for name, content in (("a", ""), ("b", "[]"), ("c", '{"created_at": ""}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "begin.json").write_text(content)
    for path in (other, tmp_path / "missing", *(tmp_path / name for name in "abc")):
        with pytest.raises(UsageError, match="is not a run folder"):
            clean_runs([path])
    assert (other / "work").is_dir()
    assert not (other / ".lock").exists()


def test_a_run_that_has_not_ended_is_kept_and_so_are_the_others(tmp_path: Path) -> None:
    runs = [ended(tmp_path / "a"), begun(tmp_path / "b")]
    with pytest.raises(UsageError, match="has not ended") as caught:
        clean_runs(runs)
    assert "--resume" in str(caught.value.hint)
    assert all((run / "work" / "program.pt2").is_file() for run in runs)


def test_a_run_that_another_process_writes_to_is_kept(tmp_path: Path) -> None:
    path = ended(tmp_path / "a")
    with RunFolder(path, SPEC, (), True), pytest.raises(UsageError, match="another process is writing"):
        clean_runs([path])
    assert (path / "work" / "program.pt2").is_file()
    assert clean_runs([path])[0].freed_bytes == 300


def test_the_command_says_what_was_freed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = ended(tmp_path / "a")
    assert edgevit(["clean", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: 300 B freed, ")
    assert edgevit(["clean", "--json", str(path)]) == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert document["freed_bytes"] == 0
    assert document["path"] == str(path)
    assert edgevit(["clean", str(tmp_path)]) == 2
    assert edgevit(["clean"]) == 2
