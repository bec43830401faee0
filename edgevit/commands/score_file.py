"""Runs one file over images in a child process and writes its logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.artifacts.feed import check_classifier, class_count, preprocessing_for, run_once
from edgevit.artifacts.tiled import reduce_images
from edgevit.backends import Session, get_backend
from edgevit.data.array_form import check_form
from edgevit.data.images import ImageSet, Samples, open_samples
from edgevit.data.normalize import normalizer
from edgevit.data.output_labels import match_labels
from edgevit.data.prepared import prepare_views
from edgevit.data.row_file import write_rows_as_they_come
from edgevit.data.unbroken import each_unbroken
from edgevit.results.artifact import Preprocessing


@dataclass(frozen=True)
class ScoreFileJob:
    """A file to run over labelled images."""

    backend: str
    artifact: Path
    samples: Samples
    preprocessing: Preprocessing
    """Its input size is replaced by the file's own."""
    class_offset: int | None
    classes: tuple[str, ...]
    """Name of the class of each output; none where the file does not state them."""
    threads: int
    precision: str
    logits: Path
    """Where to write float32 [n, outputs], as .npy; of a job that is stopped, what it had done so far is left."""


@dataclass(frozen=True)
class ImagesDone:
    """How many images a file was run over, and how."""

    images: int
    preprocessing: Preprocessing
    """Of the images, with the input size of the file."""
    runtime_version: str
    delegate: str
    precision: str
    threads: int


def score_file(job: ScoreFileJob) -> ImagesDone:
    """Runs a file over images and writes its logits.

    Raises:
        UsageError: the file is not a classifier of single images, it is not sure which of its outputs a label means, or
            images cannot be read.
    """
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    check_classifier(session)
    images = open_samples(job.samples)
    match_labels(images, class_count(session), job.class_offset, job.classes)
    contract = preprocessing_for(session.inputs[0], job.preprocessing)
    check_form(images.form, images.source, contract)
    write_rows_as_they_come(job.logits, len(images), _logits(session, images, contract))
    return ImagesDone(
        images=len(images),
        preprocessing=contract,
        runtime_version=session.runtime_version,
        delegate=session.delegate,
        precision=session.precision,
        threads=session.threads,
    )


def _logits(session: Session, images: ImageSet, contract: Preprocessing) -> Iterator[np.ndarray]:
    """The logits of each image, float32 [1, outputs]."""
    normalize = normalizer(contract)
    for several in each_unbroken(images, lambda image_id: prepare_views(images, image_id, contract)):
        rows = (run_once(session, normalize(view)[None]) for view in several)
        yield from reduce_images(rows, (len(several),), contract.tiles)
