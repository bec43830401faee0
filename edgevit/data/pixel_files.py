"""Images resized and cropped once, in files of limited size that can be sent elsewhere: equal images make equal files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgevit.data.images import Samples, open_samples
from edgevit.data.prepared import prepare_one
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
    """Some images of a set, one after another."""

    path: Path
    """uint8 or float32 [images, h, w, channels], ``.npy``: resized and cropped, not normalized."""
    sha256: str
    images: int


@dataclass(frozen=True)
class PixelFiles:
    """All images of a set, in their order."""

    files: tuple[PixelFile, ...]


def pack_images(job: PackImagesJob) -> PixelFiles:
    """Decodes, resizes and crops images, and writes them.

    Raises:
        UsageError: images cannot be read; all are named.
        DiskFull: there is no space left.
    """
    images, contract = open_samples(job.samples), job.preprocessing
    bytes_each = math.prod(contract.input_size) * contract.channels * (4 if contract.input == "array" else 1)
    at_once = max(1, job.most_bytes // bytes_each)
    rows = each_unbroken(images, lambda image_id: prepare_one(images, image_id, contract))
    files = []
    for start in range(0, len(images), at_once):
        path, count = job.folder / f"images-{start:06d}.npy", min(at_once, len(images) - start)
        write_rows(path, count, (row[None] for row in islice(rows, count)))
        files.append(PixelFile(path, file_sha256(path), count))
    return PixelFiles(tuple(files))
