"""Runs an artifact over images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.artifacts.feed import run_once
from edgevit.artifacts.tiled import check_one_size, merge_tiles
from edgevit.backends import get_backend
from edgevit.data.prepared import PreparedImages
from edgevit.data.row_file import read_rows, write_rows
from edgevit.run.child_process import report_progress


@dataclass(frozen=True)
class InferenceJob:
    """An artifact to run over images in a child process."""

    backend: str
    artifact: Path
    images: PreparedImages
    """As the model takes them; an artifact that normalizes by itself is fed their pixels."""
    threads: int
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    logits: Path
    """Where to write float32 [n, classes], as .npy; of several outputs all values, [n, values]."""


@dataclass(frozen=True)
class LogitsFile:
    """Logits on disk, or all values of the outputs of a model that is no classifier."""

    logits: Path
    samples: int


def run_images(job: InferenceJob) -> LogitsFile:
    """Runs an artifact over images, one at a time, and writes its logits, or all values of its outputs.

    Raises:
        UsageError: the artifact does not take single RGB images, or cannot be fed in the tiles that they are in.
    """
    backend = get_backend(job.backend)
    session = backend.open_session(job.artifact, job.threads, job.precision)
    contract = backend.read_contract(job.artifact)
    embeds = contract is not None and contract.embeds_preprocessing
    images = replace(job.images, preprocessing=contract.fed) if contract and embeds else job.images
    rows: Iterator[np.ndarray] = (run_once(session, image) for image in images.batches())
    if images.sizes:
        check_one_size(images.sizes, session)
        rows = merge_tiles(rows, images.sizes, images.preprocessing.tiles, session)
    write_logits(job.logits, len(images), rows)
    return LogitsFile(job.logits, len(job.images))


def write_logits(path: Path, images: int, batches: Iterable[np.ndarray]) -> None:
    """Writes logits as they come, so that the file is whole or not there; reports progress.

    Args:
        path: Gets float32 [images, classes], as ``.npy``.
        images: Number of rows of all batches together.
        batches: float [n, classes] each.
    """

    def rows() -> Iterator[np.ndarray]:
        done = 0
        for batch in batches:
            yield batch.astype(np.float32, copy=False)
            done += len(batch)
            report_progress(done, images)

    write_rows(path, images, rows())


def merge_logits(path: Path, parts: Sequence[tuple[Sequence[int], Path]]) -> LogitsFile:
    """Writes the logits on several sets of images in one file.

    Args:
        path: Gets float32 [images, classes], as ``.npy``.
        parts: Rows in the merged file, and the file that holds them; together they are all rows, each once.
    """
    place = {row: (read_rows(file), index) for rows, file in parts for index, row in enumerate(rows)}
    chunks = (place[row][0][place[row][1]][None] for row in range(len(place)))
    write_rows(path, len(place), chunks)
    return LogitsFile(path, len(place))
