"""Preprocessing in the graph of a copy: it answers as before, carries its contract, and is fed with pixels everywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from edgevit.api.load import load
from edgevit.artifacts.embed import IMAGES, EmbedJob, embed_preprocessing
from edgevit.artifacts.evaluate import InferenceJob, run_images
from edgevit.artifacts.use_script import use_script
from edgevit.backends import Backend, backend_names, get_backend
from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages
from edgevit.data.row_file import read_rows
from edgevit.errors import CandidateFailed


def job_of(plain: Path, name: str, folder: Path) -> EmbedJob:
    """Digits, for the file of a backend."""
    carried = get_backend(name).read_contract(plain)
    assert carried is not None
    contract = replace(carried, layout="NHWC", embeds_preprocessing=True)
    digits = open_images("digits")
    images = PreparedImages(digits.select(digits.ids[:40]).samples, contract.preprocessing)
    return EmbedJob(name, plain, contract, images, 1, folder / "embedded")


@pytest.mark.parametrize("name", backend_names())
def test_the_copy_takes_pixels_and_answers_as_the_plain_one(
    name: str, digits_files: dict[str, Path], tmp_path: Path
) -> None:
    plain, backend = digits_files[name], get_backend(name)
    before = {file.name: file.read_bytes() for file in plain.parent.iterdir()}
    job = job_of(plain, name, tmp_path)
    made = embed_preprocessing(job)
    assert {file.name: file.read_bytes() for file in plain.parent.iterdir()} == before
    assert made.files == tuple(job.folder / file.name for file in backend.files_of(plain))
    assert (made.inputs[0].dtype, made.inputs[0].shape) == ("uint8", (1, 32, 32, 3))
    assert backend.read_contract(made.main) == job.contract
    assert made.embedding is not None
    assert (made.embedding.passed, made.embedding.samples, made.embedding.top1_agreement) == (True, IMAGES, 1.0)
    assert made.embedding.max_rel_diff < 1e-5

    # everything that reads the contract feeds it: inference, classify, the script beside it
    logits = [
        read_rows(run_images(InferenceJob(name, file, job.images, 1, "f32", tmp_path / f"{place}.npy")).logits)
        for place, file in enumerate((plain, made.main))
    ]
    np.testing.assert_allclose(logits[1], logits[0], atol=1e-4)
    photo = tmp_path / "photo.png"
    open_images("digits").image("digits-0010").resize((90, 60)).save(photo)
    answers = [load(file).classify(photo) for file in (plain, made.main)]
    assert [label for label, _ in answers[0]] == [label for label, _ in answers[1]]
    script = made.main.with_name("use.py")
    script.write_text(use_script(backend, made.main.name, job.contract), encoding="utf-8")
    done = subprocess.run([sys.executable, "-I", str(script), str(photo)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    label, probability = answers[1][0]
    assert done.stdout.splitlines()[1] == f"{probability:8.2%}  {label}"


def test_a_copy_that_answers_otherwise_is_never_there(
    digits_files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Backend.embed_normalization

    def wrong(self: Backend, path: Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        right(self, path, tuple(value + 0.1 for value in mean), std)

    monkeypatch.setattr(Backend, "embed_normalization", wrong)
    job = job_of(digits_files["onnxruntime"], "onnxruntime", tmp_path)
    with pytest.raises(CandidateFailed, match="answers otherwise than fed from outside: a difference of"):
        embed_preprocessing(job)
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_take_an_image_is_refused(digits_files: dict[str, Path], tmp_path: Path) -> None:
    """A second time, too: it takes pixels already."""
    job = job_of(digits_files["onnxruntime"], "onnxruntime", tmp_path)
    made = embed_preprocessing(job)
    shutil.copytree(made.main.parent, tmp_path / "first")
    again = replace(job, plain=tmp_path / "first" / made.main.name, folder=tmp_path / "second")
    with pytest.raises(Exception, match="does not take one float32 image"):
        embed_preprocessing(again)
    assert not (tmp_path / "second").exists()
