"""Runs a file over images that were resized and cropped elsewhere, and answers with its outputs; runs on a board."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.artifacts.feed import run_once
from edgevit.backends import get_backend
from edgevit.data.normalize import normalizer
from edgevit.data.row_file import read_rows
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.run.child_process import report_progress
from edgevit.run.files import file_sha256

_VALUES = np.dtype("<f4")
"""Of an answer, whatever the order of bytes there."""


@dataclass(frozen=True)
class RunRowsJob:
    """A file to run over some rows of an array of images."""

    backend: str
    artifact: Path
    pixels: Path
    """uint8 or float32 [images, h, w, channels], ``.npy``: resized and cropped, not normalized."""
    sha256: str
    """Of ``pixels``, as it was sent."""
    start: int
    """First row."""
    stop: int
    """One past the last row."""
    preprocessing: Preprocessing
    """Its mean and standard deviation normalize."""
    threads: int
    precision: str


@dataclass(frozen=True)
class Rows:
    """Outputs for images, in an answer."""

    images: int
    values: str
    """float32 [images, values], little-endian, in base64: JSON has no NaN, and digits would take three times the room."""

    def array(self) -> np.ndarray:
        """Returns them, float32 [images, values].

        Raises:
            ValueError: they are not as many as they should be.
        """
        stored = np.frombuffer(base64.b64decode(self.values, validate=True), _VALUES)
        return stored.reshape(self.images, -1).astype(np.float32, copy=False)


def run_rows(job: RunRowsJob) -> Rows:
    """Runs a file over images, one at a time.

    Raises:
        UsageError: the file does not take single images of that size, or the array is not the one that was sent.
    """
    if file_sha256(job.pixels) != job.sha256:
        raise UsageError(
            f"{job.pixels} is not what was sent (its sha256 differs)", "remove what edgevit keeps there: --clean"
        )
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    array, normalize = read_rows(job.pixels), normalizer(job.preprocessing)
    found = []
    for done, row in enumerate(range(job.start, job.stop), start=1):
        found.append(run_once(session, normalize(array[row])[None]))
        report_progress(done, job.stop - job.start)
    values = np.concatenate(found).astype(_VALUES, copy=False)
    return Rows(len(values), base64.b64encode(np.ascontiguousarray(values).data).decode("ascii"))
