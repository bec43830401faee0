"""Outputs for images that were resized and cropped elsewhere."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.feed import run_once
from edgevit.artifacts.run_rows import Rows, RunRowsJob, run_rows
from edgevit.backends import get_backend
from edgevit.data.normalize import normalizer
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.document import from_document
from edgevit.results.plain import from_plain, to_plain
from edgevit.run.files import file_sha256
from tests.small_classifier import write_small_classifier

CONTRACT = Preprocessing((8, 6), (0.5,) * 3, (0.25,) * 3)


@pytest.fixture
def job(tmp_path: Path) -> RunRowsJob:
    pixels = tmp_path / "p.npy"
    np.save(pixels, np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3), dtype=np.uint8))
    artifact = write_small_classifier(tmp_path / "m.onnx")
    return RunRowsJob("onnxruntime", artifact, pixels, file_sha256(pixels), 1, 4, CONTRACT, 1, "f32")


def test_the_rows_that_are_asked_for_come_as_the_session_gives_them(job: RunRowsJob) -> None:
    session, normalize = get_backend("onnxruntime").open_session(job.artifact, 1, "f32"), normalizer(CONTRACT)
    expected = [run_once(session, normalize(row)[None])[0] for row in np.load(job.pixels)[1:4]]
    assert np.array_equal(run_rows(from_plain(RunRowsJob, to_plain(job))).array(), expected)


def test_any_number_passes_through_json() -> None:
    values = np.array([[1.5, np.nan], [-np.inf, 1e-45]], "<f4")
    rows = Rows(2, base64.b64encode(values.tobytes()).decode())
    back = from_document(Rows, json.loads(json.dumps(to_plain(rows), allow_nan=False)))
    assert back.array().tobytes() == values.tobytes()


def test_too_few_values_are_no_answer() -> None:
    with pytest.raises(ValueError, match="reshape"):
        Rows(2, "AAAAAAAAAAAAAAAA").array()


def test_an_array_that_was_changed_is_refused(job: RunRowsJob) -> None:
    with pytest.raises(UsageError, match="is not what was sent"):
        run_rows(replace(job, sha256="0" * 64))
