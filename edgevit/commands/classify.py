"""Names what is in images, in a child process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from edgevit.artifacts.classifier import open_classifier
from edgevit.artifacts.usage import Usage, usage_of
from edgevit.backends import backend_of_file
from edgevit.commands.file_errors import blaming_file
from edgevit.data.labels_file import read_labels
from edgevit.errors import UsageError
from edgevit.measure.host import check_threads
from edgevit.results.classification import ClassAnswer, Classification, ClassifiedImage
from edgevit.run.progress import Silent
from edgevit.run.stages import child_runner
from edgevit.run.task import Task
from edgevit.spec.input_file import require_file
from edgevit.spec.spec import PreprocessingOverrides


@dataclass(frozen=True)
class Question:
    """What is asked of a file."""

    artifact: Path
    images: tuple[Path, ...]
    preprocessing: PreprocessingOverrides
    """What the user gave in place of what the file states."""
    labels: Path | None
    """File with the names of the classes, in place of those that the file states."""
    top: int
    """Classes told of each image."""
    threads: int


@dataclass(frozen=True)
class ClassifyJob:
    """Images to classify with a file."""

    artifact: Path
    images: tuple[Path, ...]
    usage: Usage
    labels: tuple[str, ...]
    """In place of those of the usage; none to take those."""
    top: int
    threads: int


def classify_images(question: Question) -> Classification:
    """Names what is in images.

    Raises:
        UsageError: no backend reads the file, its runtime is not installed, it does not state how images are preprocessed and
            the user does not either, it is no classifier, or images cannot be read (all are named).
    """
    check_threads(question.threads)
    artifact = question.artifact
    backend_of_file(artifact)
    for image in question.images:
        require_file(image, "image")
    usage = usage_of(artifact, question.preprocessing)
    labels = () if question.labels is None else read_labels(question.labels)
    job = ClassifyJob(artifact.absolute(), question.images, usage, labels, question.top, question.threads)
    with child_runner(Silent()) as children, blaming_file(artifact):
        return children.run(f"classify with {artifact.name}", Task(classify_in_child, job, Classification))


def classify_in_child(job: ClassifyJob) -> Classification:
    """Loads the file, and asks it about each image after a first inference that is not timed.

    Raises:
        UsageError: see :func:`classify_images`.
    """
    classifier = open_classifier(job.artifact, job.usage, job.labels, job.threads)
    height, width = classifier.preprocessing.input_size
    classifier.answer(np.zeros((1, classifier.preprocessing.channels, height, width), np.float32))
    found: list[ClassifiedImage] = []
    broken: list[UsageError] = []
    for image in job.images:
        begin = time.perf_counter()
        try:
            views = classifier.views(image)
        except UsageError as error:
            broken.append(error)
            continue
        first = next(views)
        ready = time.perf_counter()
        answers = classifier.answer_views(chain((first,), views))[: job.top]
        end = time.perf_counter()
        named = tuple(ClassAnswer(label, probability) for label, probability in answers)
        found.append(ClassifiedImage(str(image), named, 1000 * (end - ready), 1000 * (end - begin)))
    if broken:
        raise UsageError("; ".join(error.message for error in broken), broken[0].hint)
    return Classification(tuple(found), job.usage.notes)
