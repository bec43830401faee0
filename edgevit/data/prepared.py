"""Images decoded and preprocessed once: an array on disk that every process maps, instead of decoding them again."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgevit.data.images import ImageSet, Samples, open_samples
from edgevit.data.in_order import map_in_order
from edgevit.data.normalize import normalizer
from edgevit.data.preprocess import resize_and_crop
from edgevit.data.row_file import read_rows, write_rows
from edgevit.results.artifact import Preprocessing
from edgevit.run.child_process import report_progress

MOST_BYTES = 8 << 30
"""Larger arrays are not written; 50,000 images of 224 x 224 pixels take 7.0 GiB."""
_MOST_OF_FREE_DISK = 0.5
MOST_OWN_BYTES = 512 << 20
"""Of an array of normalized images in memory: 891 images of 224 x 224 pixels."""


@dataclass(frozen=True)
class PreparedImages:
    """Images as a model takes them, readable by any process."""

    samples: Samples
    preprocessing: Preprocessing
    pixels: Path | None = None
    """uint8 or float32 [rows, h, w, channels], ``.npy``: resized and cropped; None where each reading decodes the images."""
    rows: tuple[int, ...] | None = None
    """Row of each sample in ``pixels``; None where row i is that of sample i."""

    def __len__(self) -> int:
        return len(self.samples.ids)

    def select(self, places: Sequence[int]) -> PreparedImages:
        """Returns only the images at these places, 0 for the first, in this order; they stay in the same array."""
        ids = tuple(self.samples.ids[place] for place in places)
        rows = tuple(places if self.rows is None else (self.rows[place] for place in places))
        return replace(self, samples=Samples(self.samples.source, ids), rows=rows)

    def batches(self, size: int = 1) -> Iterator[np.ndarray]:
        """Yields every image, bit for bit as :func:`edgevit.data.preprocess.preprocess` gives it.

        Args:
            size: Images per batch; the last batch may be smaller.

        Yields:
            float32 [n, channels, h, w], contiguous.

        Raises:
            UsageError: the images are decoded here, and one cannot be read.
        """
        images = self._decoded() if self.pixels is None else self._mapped(self.pixels)
        batch = []
        for image in images:
            batch.append(image)
            if len(batch) == size:
                yield np.stack(batch)
                batch = []
        if batch:
            yield np.stack(batch)

    def read_pixels(self, places: Sequence[int]) -> np.ndarray:
        """Returns the images at these places as they are before normalization, [n, h, w, channels]: uint8, or float32 of arrays.

        Raises:
            UsageError: the images are decoded here, and one cannot be read.
        """
        if self.pixels is not None:
            array = read_rows(self.pixels)
            return np.stack([array[place if self.rows is None else self.rows[place]] for place in places])
        images = open_samples(self.samples)
        return np.stack([prepare_one(images, images.ids[place], self.preprocessing) for place in places])

    def array(self) -> np.ndarray:
        """Returns all images at once, float32 [n, channels, h, w], in a mapped file where they are many; see :meth:`batches`.

        Raises:
            OSError: there is no space left for that file.
        """
        images = _room(
            (len(self), self.preprocessing.channels, *self.preprocessing.input_size), self.pixels and self.pixels.parent
        )
        for place, batch in enumerate(self.batches()):
            images[place] = batch[0]
        return images

    def _decoded(self) -> Iterator[np.ndarray]:
        images = open_samples(self.samples)
        normalize = normalizer(self.preprocessing)
        return map_in_order(lambda name: normalize(prepare_one(images, name, self.preprocessing)), images.ids)

    def _mapped(self, pixels: Path) -> Iterator[np.ndarray]:
        array, normalize = read_rows(pixels), normalizer(self.preprocessing)
        for row in range(len(self)) if self.rows is None else self.rows:
            yield normalize(array[row])


def _room(shape: tuple[int, ...], folder: Path | None) -> np.ndarray:
    """Room for float32 values: memory of the process, or mapped from a file without a name, which goes with the array."""
    size = 4 * math.prod(shape)
    if size <= MOST_OWN_BYTES:
        return np.empty(shape, np.float32)
    with tempfile.TemporaryFile(dir=folder) as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)  # or a disk that fills up later would end the process
        else:
            stream.truncate(size)
        return np.asarray(np.memmap(stream, np.float32, "r+", shape=shape))


def prepare_one(images: ImageSet, image_id: str, contract: Preprocessing) -> np.ndarray:
    """Returns an image as a model takes it before normalization, see :func:`edgevit.data.preprocess.resize_and_crop`.

    Returns:
        [height, width, channels]: uint8, or float32 of arrays.

    Raises:
        UsageError: it cannot be read, or is not of the kind that the model takes.
    """
    return resize_and_crop(images.picture(image_id, contract), contract)


@dataclass(frozen=True)
class PrepareImagesJob:
    """Images to decode, resize and crop in a child process."""

    samples: Samples
    preprocessing: Preprocessing
    pixels: Path
    """Where to write them, ``.npy``; appears whole, or not at all."""
    most_bytes: int = MOST_BYTES


def prepare_images(job: PrepareImagesJob) -> PreparedImages:
    """Decodes images once and writes them for all who read them, unless they would fill the disk.

    Returns:
        Without ``pixels`` where they would take more than ``most_bytes``, or half of the free disk: such images are
        decoded whenever they are read.

    Raises:
        UsageError: an image cannot be read.
    """
    images = open_samples(job.samples)
    height, width = job.preprocessing.input_size
    job.pixels.parent.mkdir(parents=True, exist_ok=True)
    room = min(job.most_bytes, int(_MOST_OF_FREE_DISK * shutil.disk_usage(job.pixels.parent).free))
    bytes_each = 4 if job.preprocessing.input == "array" else 1
    if len(images) * height * width * job.preprocessing.channels * bytes_each > room:
        return PreparedImages(job.samples, job.preprocessing)

    def rows() -> Iterator[np.ndarray]:
        decoded = map_in_order(lambda name: prepare_one(images, name, job.preprocessing), images.ids)
        for done, image in enumerate(decoded, start=1):
            yield image[None]
            report_progress(done, len(images))

    write_rows(job.pixels, len(images), rows())
    return PreparedImages(job.samples, job.preprocessing, job.pixels)
