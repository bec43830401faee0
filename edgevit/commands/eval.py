"""Scores one artifact file on labelled images, in a process of its own; the file need not be edgevit's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.evaluate import check_classifier, image_size, run_once, score
from edgevit.backends import get_backend
from edgevit.data.images import Samples, open_images, open_samples
from edgevit.data.sampling import sample_images
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.candidate import Accuracy
from edgevit.results.run import Run
from edgevit.run.child_process import report_progress
from edgevit.spec.spec import PreprocessingOverrides


@dataclass(frozen=True)
class FileJob:
    """A file to score."""

    backend: str
    artifact: Path
    samples: Samples
    preprocessing: Preprocessing
    """Its input size is replaced by the file's own."""
    class_offset: int
    threads: int
    precision: str


def score_file(job: FileJob) -> Accuracy:
    """Runs the file over the images and scores its logits.

    Raises:
        UsageError: the file is not a classifier of single images, or has too few classes for the labels.
    """
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_classifier(session)
    contract = replace(job.preprocessing, input_size=image_size(session.inputs[0]))
    images = open_samples(job.samples)
    if images.labels is None:
        raise UsageError(f"{images.source} has no labels", "a folder of class sub-folders, or one with labels.csv")
    labels = tuple(label + job.class_offset for label in images.labels)
    rows: list[np.ndarray] = []
    for batch in images.batches(contract):
        rows.append(run_once(session, batch))
        if len(rows) == 1 and max(labels) >= rows[0].shape[1]:
            raise UsageError(
                f"label {max(labels)} (class offset {job.class_offset}) is outside the file's {rows[0].shape[1]} classes",
                "other labels, or another --class-offset",
            )
        report_progress(len(rows), len(images))
    return score(np.concatenate(rows), labels, None)


def choose_samples(source: str, count: int | None, seed: int) -> Samples:
    """Chooses ``count`` images of a source by the seed; all when None.

    Raises:
        UsageError: see :func:`edgevit.data.sampling.sample_images`.
    """
    images = open_images(source)
    return (images if count is None else sample_images(images, count, seed, "evaluation")).samples


def preprocessing_of(
    artifact: Path, find_run: Callable[[Path], Run | None], overrides: PreprocessingOverrides
) -> Preprocessing:
    """The preprocessing of a file: that of the run it lies in, each value replaced by the user's.

    Args:
        artifact: The file.
        find_run: Reads the run in a folder, or gives None where there is none.
        overrides: What the user said; the input size is not among it, for it is the file's own.

    Raises:
        UsageError: the file is not part of a run, and the user gave no mean or standard deviation.
    """
    given = overrides.model_dump(exclude_none=True)
    for folder in artifact.resolve().parents:
        run = find_run(folder)
        for candidate in run.candidates if run else ():
            if candidate.artifact and (folder / candidate.artifact.path).resolve() == artifact.resolve():
                return replace(candidate.artifact.preprocessing, **given)
    missing = [f"--{key}" for key in ("mean", "std") if key not in given]
    if missing:
        raise UsageError(
            f"{artifact} is not part of a run, so how its images are normalized has to be said",
            f"give {' and '.join(missing)}; for pixels in -1..1 that is --mean 0.5 --std 0.5",
        )
    return Preprocessing(input_size=(1, 1), **given)
