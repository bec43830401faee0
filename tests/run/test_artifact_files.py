"""Artifacts that are as they were made, and others."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.run.artifact_files import is_as_made
from tests.factories import make_artifact


def test_every_file_counts(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    artifact = replace(make_artifact("a"), files=("a", "b"), sha256=hashlib.sha256(b"ab").hexdigest())
    assert is_as_made(tmp_path, artifact)
    (tmp_path / "b").write_text("c")
    assert not is_as_made(tmp_path, artifact)
    (tmp_path / "b").unlink()
    assert not is_as_made(tmp_path, artifact)


@pytest.mark.parametrize("files", [("../x",), ("{}/x",), ()])
def test_files_outside_the_folder_are_never_its_own(tmp_path: Path, files: tuple[str, ...]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "x").write_text("x")
    named = tuple(name.format(tmp_path) for name in files)
    artifact = replace(make_artifact("a"), files=named, sha256=hashlib.sha256(b"x" if files else b"").hexdigest())
    assert not is_as_made(tmp_path / "run", artifact)
