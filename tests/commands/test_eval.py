"""What ``edgevit eval`` feeds to a file: which images, and how they are normalized."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.commands.eval import FileEvaluation, choose_samples, evaluate_file, preprocessing_of
from edgevit.errors import UsageError
from edgevit.results.run import run_to_json
from edgevit.run.progress import Silent
from edgevit.spec.spec import PreprocessingOverrides
from tests.factories import make_artifact, make_candidate, make_run


@pytest.fixture
def source(tmp_path: Path) -> str:
    np.savez(tmp_path / "images.npz", images=np.zeros((20, 4, 4), np.uint8), labels=np.arange(20))
    return str(tmp_path / "images.npz")


def test_samples_are_chosen_by_the_seed(source: str) -> None:
    assert choose_samples(source, None, 0).ids == tuple(map(str, range(20)))
    some = choose_samples(source, 7, 0)
    assert len(set(some.ids)) == 7
    assert some == choose_samples(source, 7, 0) != choose_samples(source, 7, 1)


@pytest.mark.parametrize(
    ("count", "message"),
    [(21, "has 20"), (0, "0 evaluation images were asked for"), (-5, "-5 evaluation images were asked for")],
)
def test_a_number_of_samples_that_cannot_be_had(source: str, count: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose_samples(source, count, 0)


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
    (tmp_path / "run.json").write_text('{"other": "tool"}')
    with pytest.raises(UsageError, match="not part of a run"):
        preprocessing_of(tmp_path / "model.tflite", PreprocessingOverrides())


def test_what_is_no_artifact_is_refused_before_images_are_read(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"")
    nothing = PreprocessingOverrides()
    asked = FileEvaluation(tmp_path / "model.bin", "nowhere", nothing, 0, None, threads=1, precision="f32")
    with pytest.raises(UsageError, match="no backend reads .bin"):
        evaluate_file(asked, Silent())
