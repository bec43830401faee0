"""The artifact that is judged has to be the one that the run is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.gate.files import WITHOUT, FilesFound, find_files
from edgevit.results.run import Run
from tests.factories import make_artifact, make_candidate, make_run

MAIN, WEIGHTS = "artifacts/model.xml", "artifacts/model.bin"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose artifact has two files, which are in ``tmp_path``."""
    content = {MAIN: b"<net/>", WEIGHTS: b"weights"}
    (tmp_path / "artifacts").mkdir()
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    digest = hashlib.sha256(b"".join(content.values())).hexdigest()
    artifact = replace(make_artifact(MAIN, 13), files=(MAIN, WEIGHTS), sha256=digest)
    return make_run(make_candidate("openvino/fp32", artifact=artifact))


def found(run: Run, folder: Path, *, required: bool = False) -> FilesFound:
    return find_files(run.candidates[0], folder, required=required)


@pytest.mark.parametrize("required", [False, True])
def test_the_files_of_the_run_pass(run: Run, tmp_path: Path, required: bool) -> None:
    files = found(run, tmp_path, required=required)
    assert [(check.metric, check.verdict) for check in files.checks] == [("artifact", "pass")]
    assert (files.note, files.fault) == ("", "")


def zeros(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(bytes(7))


def lost(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def longer(folder: Path) -> None:
    (folder / MAIN).write_bytes(b"<net/> ")


def a_folder(folder: Path) -> None:
    lost(folder)
    (folder / WEIGHTS).mkdir()


def dangling(folder: Path) -> None:
    lost(folder)
    (folder / WEIGHTS).symlink_to("nowhere")


@pytest.mark.parametrize(
    ("damage", "words"),
    [(zeros, "was changed after the run"), (longer, "was changed after the run"), (lost, "is missing"),
     (a_folder, "is not a file"), (dangling, "is not a file")],
)  # fmt: skip
def test_files_that_are_not_those_of_the_run_are_a_fault(
    run: Run, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(tmp_path)
    files = found(run, tmp_path)
    assert files.checks == ()
    assert words in files.fault


@pytest.mark.parametrize("required", [False, True])
def test_a_run_json_alone_is_judged_with_a_word(run: Run, tmp_path: Path, required: bool) -> None:
    files = found(run, tmp_path / "elsewhere", required=required)
    assert files.note == WITHOUT == "judged without its artifacts"
    assert [check.verdict for check in files.checks] == (["fail"] if required else [])


def test_a_recorded_size_that_the_files_do_not_have_is_a_fault(run: Run, tmp_path: Path) -> None:
    (candidate,) = run.candidates
    assert candidate.artifact is not None
    smaller = replace(candidate, artifact=replace(candidate.artifact, size_bytes=5))
    assert found(make_run(smaller), tmp_path).fault == f"{MAIN} has 13 bytes, but the run says 5"


@pytest.mark.parametrize("name", ["/etc/hostname", "../other/model.xml", "C:\\model.xml", "artifacts/../../x"])
def test_files_outside_of_the_run_folder_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / MAIN).write_bytes(b"<net/>")
    artifact = replace(make_artifact(MAIN, 13), files=(MAIN, name))
    files = found(make_run(make_candidate("openvino/fp32", artifact=artifact)), tmp_path)
    assert "outside of its folder" in files.fault


def test_an_artifact_of_no_files_is_a_fault(tmp_path: Path) -> None:
    artifact = replace(make_artifact(MAIN), files=(), sha256=hashlib.sha256(b"").hexdigest())
    assert found(make_run(make_candidate("openvino/fp32", artifact=artifact)), tmp_path).fault


def test_a_candidate_without_an_artifact_has_no_files(tmp_path: Path) -> None:
    (check,) = find_files(None, tmp_path, required=True).checks
    assert (check.verdict, check.message) == ("fail", "judged without its artifacts: there is no artifact")
