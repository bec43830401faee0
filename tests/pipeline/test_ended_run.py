"""What is found of a run that has ended, or has not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.pipeline.ended_run import ended_run
from edgevit.results.run import Run
from edgevit.run.folder import RunFolder
from edgevit.spec.spec import Spec
from tests.factories import KeptProgress, make_artifact, make_candidate, make_run

NAMES = ("artifacts/model.xml", "artifacts/model.bin")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    spec = Spec.model_validate({"model": {"name": "m"}})
    with RunFolder(tmp_path / "run", spec, (), False):
        pass
    return RunFolder(tmp_path / "run", spec, (), True)


def finish(folder: RunFolder) -> Run:
    """Ends the run with one candidate of two files, and one that failed."""
    for name in NAMES:
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_bytes(name.encode())
    digest = hashlib.sha256("".join(NAMES).encode()).hexdigest()
    artifact = replace(make_artifact(NAMES[0]), files=NAMES, sha256=digest)
    failed = replace(make_candidate("litert/fp32/dense"), artifact=None, status="failed")
    run = make_run(make_candidate("openvino/fp32/dense", artifact=artifact), failed)
    with folder:
        folder.finish(run)
    return run


def test_a_run_that_has_not_ended_is_none(folder: RunFolder) -> None:
    heard = KeptProgress()
    assert ended_run(folder, heard) is None
    assert heard.messages == []


def test_an_ended_run_is_read_back(folder: RunFolder) -> None:
    run, heard = finish(folder), KeptProgress()
    assert ended_run(folder, heard) == run
    assert heard.messages == ["the run has ended; its artifacts are as they were"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", [b"other", None])
def test_an_artifact_that_has_changed_or_gone_has_to_be_made_again(
    folder: RunFolder, name: str, content: bytes | None
) -> None:
    finish(folder)
    (folder.path / name).unlink() if content is None else (folder.path / name).write_bytes(content)
    heard = KeptProgress()
    assert ended_run(folder, heard) is None
    assert "has changed since" in heard.messages[0]
