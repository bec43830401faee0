"""Scores one artifact file on labelled images, in a child process; the file need not be edgevit's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.accuracy import score
from edgevit.artifacts.evaluate import check_classifier, image_size, run_once, write_logits
from edgevit.backends import backend_of_file, get_backend
from edgevit.data.images import Samples, open_images, open_samples
from edgevit.data.prepared import PreparedImages
from edgevit.data.row_file import read_rows
from edgevit.data.sampling import sample_images
from edgevit.errors import UsageError
from edgevit.results.artifact import Artifact, Preprocessing
from edgevit.results.candidate import Accuracy
from edgevit.results.run import find_run
from edgevit.run.artifact_files import is_as_made
from edgevit.run.progress import Progress
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.spec import PreprocessingOverrides

_SEED = 0
"""Of the choice among the images."""


@dataclass(frozen=True)
class FileEvaluation:
    """What is asked of a file."""

    artifact: Path
    data: str
    """Source of labelled images."""
    preprocessing: PreprocessingOverrides
    """What the user gave; the input size is not among it, for it is the file's own."""
    class_offset: int
    """Logit of class 0."""
    samples: int | None
    """Images to score it on; all when None."""
    threads: int
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""


@dataclass(frozen=True)
class ScoreFileJob:
    """A file to score."""

    backend: str
    artifact: Path
    images: PreparedImages
    """Their input size is replaced by the file's own."""
    class_offset: int
    threads: int
    precision: str


def evaluate_file(asked: FileEvaluation, progress: Progress) -> Accuracy:
    """Scores a file on labelled images.

    Args:
        asked: The file, the images, and how they are fed to it.
        progress: Progress callback.

    Raises:
        UsageError: no backend reads the file, the images cannot be read or have no labels, the file is not a
            classifier of single images, or the user gave no mean or standard deviation.
        CandidateFailed: the runtime crashed, or ran out of time.
    """
    backend = backend_of_file(asked.artifact)
    job = ScoreFileJob(
        backend=backend.name,
        artifact=asked.artifact.absolute(),
        images=PreparedImages(
            choose_samples(asked.data, asked.samples, _SEED), preprocessing_of(asked.artifact, asked.preprocessing)
        ),
        class_offset=asked.class_offset,
        threads=asked.threads,
        precision=asked.precision,
    )
    with child_runner(progress) as children:
        return children.run(f"evaluate {asked.artifact.name}", Task(score_file, job, Accuracy))


def score_file(job: ScoreFileJob) -> Accuracy:
    """Runs the file over the images and scores its logits.

    Raises:
        UsageError: the file is not a classifier of single images, or has too few classes for the labels.
    """
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_classifier(session)
    contract = replace(job.images.preprocessing, input_size=image_size(session.inputs[0]))
    images = open_samples(job.images.samples)
    if images.labels is None:
        raise UsageError(f"{images.source} has no labels", "a folder of class sub-folders, or one with labels.csv")
    labels = tuple(label + job.class_offset for label in images.labels)
    most = max(labels)

    def logits() -> Iterator[np.ndarray]:
        for batch in replace(job.images, preprocessing=contract).batches():
            row = run_once(session, batch)
            if most >= row.shape[1]:
                raise UsageError(
                    f"label {most} (class offset {job.class_offset}) is outside the file's {row.shape[1]} classes",
                    "other labels, or another --class-offset",
                )
            yield row

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "logits.npy")
        write_logits(file, len(images), logits())
        return score(read_rows(file), labels, None)


def choose_samples(source: str, count: int | None, seed: int) -> Samples:
    """Chooses ``count`` images of a source by the seed; all when None.

    Raises:
        UsageError: see :func:`edgevit.data.sampling.sample_images`.
    """
    images = open_images(source)
    return (images if count is None else sample_images(images, count, seed, "evaluation")).samples


def preprocessing_of(artifact: Path, overrides: PreprocessingOverrides) -> Preprocessing:
    """Returns the preprocessing of a file: that of the run it lies in, each value replaced by the user's.

    Args:
        artifact: The file.
        overrides: What the user gave; the input size is not among it, for it is the file's own.

    Raises:
        UsageError: the file is not part of a run, or not as the run made it, and the user gave no mean or standard
            deviation.
    """
    given = overrides.model_dump(exclude_none=True)
    place = artifact.resolve()
    found = next((each for folder in place.parents for each in _recorded(folder, place)), None)
    if found is not None and is_as_made(*found):
        return replace(found[1].preprocessing, **given)
    missing = [f"--{key}" for key in ("mean", "std") if key not in given]
    if missing:
        reason = (
            f"{artifact} is not part of a run"
            if found is None
            else f"{artifact} is not the file that the run in {found[0]} made (its sha256 differs)"
        )
        raise UsageError(
            f"{reason}, so edgevit cannot know how its images are normalized",
            f"give {' and '.join(missing)}; for pixels in -1..1 that is --mean 0.5 --std 0.5",
        )
    return Preprocessing(input_size=(1, 1), **given)


def _recorded(folder: Path, place: Path) -> Iterator[tuple[Path, Artifact]]:
    """Yields what the run in a folder, if it is one, knows of the file at a place."""
    run = find_run(folder)
    for candidate in run.candidates if run else ():
        if candidate.artifact and (folder / candidate.artifact.path).resolve() == place:
            yield folder, candidate.artifact
