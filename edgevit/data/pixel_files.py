"""Images resized and cropped once, in files of limited size that can be sent elsewhere: equal images make equal files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from edgevit.data.images import Samples, open_samples
from edgevit.data.prepared import prepare_views
from edgevit.data.row_file import write_rows
from edgevit.data.unbroken import each_unbroken
from edgevit.results.artifact import Preprocessing
from edgevit.run.files import file_sha256


@dataclass(frozen=True)
class PackImagesJob:
    """Images to decode, resize and crop in a child process."""

    samples: Samples
    preprocessing: Preprocessing
    folder: Path
    """Gets the files; exists."""
    most_bytes: int
    """Of one file, unless one image is larger."""


@dataclass(frozen=True)
class PixelFile:
    """Some images of a set, or of their tiles, one after another."""

    path: Path
    """uint8 or float32 [images, h, w, channels], ``.npy``: resized and cropped, not normalized."""
    sha256: str
    images: int
    """Of the file: each tile is one."""


@dataclass(frozen=True)
class PixelFiles:
    """All images of a set, in their order."""

    files: tuple[PixelFile, ...]
    tile_counts: tuple[int, ...]
    """Tiles of each image, one after another; 1 where it is fed as a whole."""


def pack_images(job: PackImagesJob) -> PixelFiles:
    """Decodes, resizes and crops images, and writes them.

    Raises:
        UsageError: images cannot be read; all are named.
        DiskFull: there is no space left.
    """
    images, contract = open_samples(job.samples), job.preprocessing
    bytes_each = math.prod(contract.input_size) * contract.channels * (4 if contract.input == "array" else 1)
    at_once = max(1, job.most_bytes // bytes_each)
    counts: list[int] = []

    def pictures() -> Iterator[np.ndarray]:
        for several in each_unbroken(images, lambda image_id: prepare_views(images, image_id, contract)):
            counts.append(len(several))
            yield from several

    rows, files, start = pictures(), [], 0
    while some := list(islice(rows, at_once)):
        path = job.folder / f"images-{start:06d}.npy"
        write_rows(path, len(some), (row[None] for row in some))
        files.append(PixelFile(path, file_sha256(path), len(some)))
        start += len(some)
    return PixelFiles(tuple(files), tuple(counts))
