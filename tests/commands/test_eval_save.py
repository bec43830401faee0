"""``edgevit eval --save-outputs``: the outputs of each image, with what tells which image it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.result_set import read_result_set
from edgevit.commands.eval import FileEvaluation, evaluate_file
from edgevit.commands.eval_save import save_outputs
from edgevit.commands.parity import ParityQuestion, compare_results
from edgevit.commands.score_file import ScoreFileJob, score_file
from edgevit.data.images import Samples, open_samples
from edgevit.errors import UsageError
from edgevit.measure.host import host_fingerprint
from edgevit.results.artifact import Preprocessing
from edgevit.run.files import file_sha256
from edgevit.run.progress import Silent
from edgevit.spec.spec import PreprocessingOverrides
from tests.data.pictures import save
from tests.small_classifier import write_small_classifier

GIVEN = PreprocessingOverrides(mean=(0.5,), std=(0.5,))


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A file that takes one image of 8 x 6 pixels and gives the mean of each channel."""
    return write_small_classifier(tmp_path / "m.onnx")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two images without labels."""
    for name, shade in (("dark.png", 20), ("light.png", 200)):
        save(tmp_path / "photos" / name, seed=shade)
    return tmp_path / "photos"


def job(classifier: Path, samples: Samples, logits: Path) -> ScoreFileJob:
    preprocessing = Preprocessing((1, 1), (0.5,), (0.5,))
    return ScoreFileJob("onnxruntime", classifier, samples, preprocessing, None, ("r", "g", "b"), 1, "f32", logits)


def test_each_image_has_its_name_digest_label_and_outputs(classifier: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 9), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.array([2, 1, 0, 2]))
    samples = Samples(str(tmp_path / "images.npz"), ("2", "0"))
    asked = job(classifier, samples, tmp_path / "logits.npy")
    done = score_file(asked)
    saved = save_outputs(tmp_path / "out" / "a.npz", open_samples(samples), asked, done, host_fingerprint(1))
    found = read_result_set(tmp_path / "out" / "a.npz")
    assert saved.sha256 == file_sha256(tmp_path / "out" / "a.npz")
    assert found.names == ("2", "0")
    assert found.sha256 == tuple(hashlib.sha256(images[place].tobytes()).hexdigest() for place in (2, 0))
    assert found.labels is not None
    assert found.labels.tolist() == [0, 2]
    assert np.array_equal(found.logits, np.load(tmp_path / "logits.npy"))
    assert found.origin
    assert (found.origin.artifact, found.origin.artifact_sha256) == ("m.onnx", file_sha256(classifier))
    assert found.origin.preprocessing.input_size == (8, 6), "the file's own"
    assert found.origin.classes == ("r", "g", "b")
    assert found.origin.runtime.startswith("ONNX Runtime 1.")
    assert (found.origin.delegate, found.origin.threads) == ("CPUExecutionProvider", 1)


@pytest.mark.slow
def test_images_without_labels_are_enough(classifier: Path, photos: Path, tmp_path: Path) -> None:
    def evaluate(out: Path | None) -> FileEvaluation:
        return FileEvaluation(classifier, str(photos), GIVEN, None, None, 1, "f32", save_outputs=out)

    with pytest.raises(UsageError, match="has no labels"):
        evaluate_file(evaluate(None), Silent())
    first, second = (evaluate_file(evaluate(tmp_path / name), Silent()) for name in ("a.npz", "b.npz"))
    assert (first.accuracy.top1, first.accuracy.samples) == (None, 2)
    assert first.saved_outputs
    assert second.saved_outputs
    assert first.saved_outputs.sha256 == second.saved_outputs.sha256, "equal outputs make equal files"
    found = compare_results(ParityQuestion(tmp_path / "a.npz", tmp_path / "b.npz"))
    assert (found.matched_by, found.samples, found.snr_db, found.accuracy.top1_before) == ("content", 2, None, None)


@pytest.mark.parametrize("beside", ["reference", "masks"])
def test_what_has_no_logits_is_refused(beside: str, classifier: Path, photos: Path, tmp_path: Path) -> None:
    asked = FileEvaluation(
        classifier,
        str(photos),
        GIVEN,
        None,
        None,
        1,
        "f32",
        save_outputs=tmp_path / "a.npz",
        reference=classifier if beside == "reference" else None,
        masks=photos if beside == "masks" else None,
    )
    with pytest.raises(UsageError, match="keeps the logits of a classifier"):
        evaluate_file(asked, Silent())
    assert not (tmp_path / "a.npz").exists()
