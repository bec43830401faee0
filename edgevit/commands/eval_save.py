"""Keeps the outputs of an evaluated file for each image, to be compared with those of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgevit.artifacts.result_set import ResultSet, write_result_set
from edgevit.backends import get_backend
from edgevit.commands.score_file import ImagesDone, ScoreFileJob
from edgevit.data.images import ImageSet, digests
from edgevit.data.output_labels import match_labels
from edgevit.data.row_file import read_rows
from edgevit.results.file_score import SavedOutputs
from edgevit.results.measurement import Host
from edgevit.results.parity import ResultOrigin
from edgevit.run.files import file_sha256
from edgevit.version import __version__


def save_outputs(path: Path, images: ImageSet, job: ScoreFileJob, done: ImagesDone, host: Host) -> SavedOutputs:
    """Writes the outputs for each image as a result set.

    Args:
        path: Where.
        images: With labels as their source has them, or without.
        job: That was carried out.
        done: What it found.
        host: Machine that carried it out.

    Raises:
        UsageError: an image cannot be read.
        DiskFull: there is no space left.
    """
    logits = read_rows(job.logits)
    labels = match_labels(images, logits.shape[1], job.class_offset, job.classes).labels
    backend = get_backend(job.backend)
    results = ResultSet(
        logits=logits,
        names=images.ids,
        sha256=tuple(digests(images)),
        labels=None if labels is None else np.array(labels, np.int64),
        origin=ResultOrigin(
            artifact=job.artifact.name,
            artifact_sha256=file_sha256(*backend.files_of(job.artifact)),
            images=images.source,
            preprocessing=done.preprocessing,
            classes=job.classes,
            runtime=f"{backend.title} {done.runtime_version}",
            delegate=done.delegate,
            precision=done.precision,
            threads=done.threads,
            host=host.cpu,
            edgevit_version=__version__,
        ),
    )
    write_result_set(path, results)
    return SavedOutputs(str(path), file_sha256(path))
