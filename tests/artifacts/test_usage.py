"""How a file is fed: what it says itself, what its run says, and what the user says."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.artifacts.usage import usage_of
from edgevit.backends import all_backends, backend_of_file
from edgevit.commands import probes
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.run import run_to_json
from edgevit.spec.spec import PreprocessingOverrides
from tests.factories import make_artifact, make_candidate, make_contract, make_run

NOTHING = PreprocessingOverrides()


def preprocessing_of(artifact: Path, overrides: PreprocessingOverrides) -> Preprocessing:
    return usage_of(artifact, overrides).preprocessing


def test_preprocessing_of_an_artifact_is_that_of_its_run(tmp_path: Path) -> None:
    made = replace(make_artifact("artifacts/a/model.tflite"), sha256=hashlib.sha256(b"").hexdigest())
    candidate = make_candidate(artifact=made)
    (tmp_path / "run.json").write_bytes(run_to_json(make_run(candidate)))
    (tmp_path / "begin.json").write_text("{}")
    artifact = tmp_path / "artifacts" / "a" / "model.tflite"
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(b"")
    assert candidate.artifact is not None
    assert preprocessing_of(artifact, PreprocessingOverrides()) == candidate.artifact.preprocessing
    overridden = preprocessing_of(artifact, PreprocessingOverrides(crop_pct=0.9))
    assert (overridden.crop_pct, overridden.mean) == (0.9, (0.5, 0.5, 0.5))
    assert json.loads((tmp_path / "run.json").read_text())["schema_version"] == 1


def test_a_file_in_place_of_the_one_that_was_made_is_a_strange_one(tmp_path: Path) -> None:
    made = replace(make_artifact("artifacts/a/model.tflite"), sha256=hashlib.sha256(b"made").hexdigest())
    (tmp_path / "run.json").write_bytes(run_to_json(make_run(make_candidate(artifact=made))))
    (tmp_path / "begin.json").write_text("{}")
    artifact = tmp_path / "artifacts" / "a" / "model.tflite"
    artifact.parent.mkdir(parents=True)
    artifact.write_bytes(b"another")
    with pytest.raises(UsageError, match=r"not the file that the run in .* made \(its sha256 differs\)"):
        preprocessing_of(artifact, PreprocessingOverrides())
    given = preprocessing_of(artifact, PreprocessingOverrides(mean=(0, 0, 0), std=(1, 1, 1)))
    assert given.crop_pct == 1.0
    artifact.write_bytes(b"made")
    assert preprocessing_of(artifact, PreprocessingOverrides()) == made.preprocessing


def test_preprocessing_of_a_strange_file_has_to_be_said(tmp_path: Path) -> None:
    artifact = tmp_path / "model.tflite"
    artifact.write_bytes(b"")
    with pytest.raises(UsageError, match="not part of a run") as caught:
        preprocessing_of(artifact, PreprocessingOverrides(mean=(0, 0, 0)))
    assert caught.value.hint and "--std" in caught.value.hint and "give --mean" not in caught.value.hint
    given = preprocessing_of(artifact, PreprocessingOverrides(mean=(0, 0, 0), std=(1, 1, 1)))
    assert (given.mean, given.std) == ((0, 0, 0), (1, 1, 1))


def test_the_run_json_of_another_tool_is_left_alone(tmp_path: Path) -> None:
    artifact = tmp_path / "model.tflite"
    artifact.write_bytes(b"")
    (tmp_path / "run.json").write_text('{"other": "tool"}')
    with pytest.raises(UsageError, match="not part of a run"):
        preprocessing_of(artifact, PreprocessingOverrides())


@pytest.fixture(params=[backend.suffix for backend in all_backends()])
def bare_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with a contract, away from the run that made it."""
    if request.param == ".onnx":
        pytest.importorskip("onnx")  # to write it
    path = Path(shutil.copy(probes.probe_path(request.param), tmp_path / f"model{request.param}"))
    backend_of_file(path).write_contract(path, make_contract())
    return path


def test_a_bare_file_says_itself_how_it_is_used(bare_file: Path) -> None:
    contract = make_contract()
    found = usage_of(bare_file, NOTHING)
    assert (found.preprocessing, found.contract, found.classes) == (contract.preprocessing, contract, contract.classes)
    assert found.notes == ()


def test_what_the_user_says_counts_more_and_is_told(bare_file: Path) -> None:
    stated = make_contract().preprocessing
    given = PreprocessingOverrides(mean=(0.25, 0.5, 0.75), crop_pct=stated.crop_pct, crop_mode="squash")
    found = usage_of(bare_file, given)
    assert found.preprocessing == replace(stated, mean=(0.25, 0.5, 0.75), crop_mode="squash")
    (note,) = found.notes  # what is given as it was stated changes nothing
    assert "mean 0.25,0.5,0.75 (not 0.485,0.456,0.406), crop_mode squash (not center)" in note
    assert "crop_pct" not in note


def test_a_damaged_contract_is_refused(bare_file: Path) -> None:
    text = json.dumps("no contract")
    backend = backend_of_file(bare_file)
    backend._part("metadata").write_metadata(bare_file, "edgevit", text)
    with pytest.raises(UsageError, match="the contract in its metadata is damaged"):
        usage_of(bare_file, NOTHING)


def test_a_file_that_normalizes_by_itself_is_fed_pixels(bare_file: Path) -> None:
    contract = make_contract(layout="NHWC", embeds_preprocessing=True)
    backend_of_file(bare_file).write_contract(bare_file, contract)
    found = usage_of(bare_file, NOTHING)
    assert (found.preprocessing, found.notes) == (contract.fed, ())
    changed = usage_of(bare_file, PreprocessingOverrides(crop_pct=0.5))
    assert changed.preprocessing == replace(contract.fed, crop_pct=0.5)
    assert "crop_pct 0.5 (not 0.875)" in changed.notes[0]
    with pytest.raises(UsageError, match="normalizes them by itself, so --mean and --std cannot be replaced") as caught:
        usage_of(bare_file, PreprocessingOverrides(mean=(0, 0, 0), std=(1, 1, 1)))
    assert caught.value.hint == "leave out --mean and --std"
