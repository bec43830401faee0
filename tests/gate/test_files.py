"""The artifact that is judged has to be the one that the run is about."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.errors import ExitCode
from edgevit.gate.budget import Budget
from edgevit.gate.files import WITHOUT, judge_files
from edgevit.gate.judge import Verdict, decide
from edgevit.results.run import Run
from tests.factories import make_artifact, make_candidate, make_run

LIMITS = Budget.model_validate({"size_bytes": 1000})
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


def judged(run: Run, folder: Path, *, required: bool = False) -> Verdict:
    return judge_files(decide(run, LIMITS), run, folder, required=required)


@pytest.mark.parametrize("required", [False, True])
def test_the_files_of_the_run_pass(run: Run, tmp_path: Path, required: bool) -> None:
    verdict = judged(run, tmp_path, required=required)
    assert [(check.metric, check.verdict) for check in verdict.checks] == [("size", "pass"), ("artifact", "pass")]
    assert (verdict.exit_code, verdict.note) == (ExitCode.DONE, "")


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
def test_files_that_are_not_those_of_the_run_fail(
    run: Run, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(tmp_path)
    verdict = judged(run, tmp_path)
    check = verdict.checks[-1]
    assert (check.metric, check.verdict) == ("artifact", "fail")
    assert words in check.message
    assert verdict.exit_code is ExitCode.CHECK_FAILED


@pytest.mark.parametrize(("required", "exit_code"), [(False, ExitCode.DONE), (True, ExitCode.CHECK_FAILED)])
def test_a_run_json_alone_is_judged_with_a_word(run: Run, tmp_path: Path, required: bool, exit_code: ExitCode) -> None:
    verdict = judged(run, tmp_path / "elsewhere", required=required)
    assert verdict.note == WITHOUT == "judged without its artifacts"
    assert verdict.exit_code is exit_code


def test_a_recorded_size_that_the_files_do_not_have_fails(run: Run, tmp_path: Path) -> None:
    (candidate,) = run.candidates
    assert candidate.artifact is not None
    smaller = replace(candidate, artifact=replace(candidate.artifact, size_bytes=5))
    check = judged(make_run(smaller), tmp_path).checks[-1]
    assert (check.verdict, check.message) == ("fail", f"{MAIN} has 13 bytes, but the run says 5")


@pytest.mark.parametrize("name", ["/etc/hostname", "../other/model.xml", "C:\\model.xml", "artifacts/../../x"])
def test_files_outside_of_the_run_folder_are_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "artifacts").mkdir()
    (tmp_path / MAIN).write_bytes(b"<net/>")
    artifact = replace(make_artifact(MAIN, 13), files=(MAIN, name))
    check = judged(make_run(make_candidate("openvino/fp32", artifact=artifact)), tmp_path).checks[-1]
    assert check.verdict == "fail"
    assert "outside of its folder" in check.message


def test_an_artifact_of_no_files_fails(tmp_path: Path) -> None:
    artifact = replace(make_artifact(MAIN), files=(), sha256=hashlib.sha256(b"").hexdigest())
    check = judged(make_run(make_candidate("openvino/fp32", artifact=artifact)), tmp_path).checks[-1]
    assert (check.metric, check.verdict) == ("artifact", "fail")
