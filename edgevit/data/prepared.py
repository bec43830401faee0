"""Images decoded and preprocessed once: an array on disk that every process maps, instead of decoding them again."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from edgevit.data.images import ImageSet, Samples, open_samples
from edgevit.data.in_order import map_in_order
from edgevit.data.normalize import normalizer
from edgevit.data.preprocess import one_view, size_of, views
from edgevit.data.row_file import read_rows, write_rows
from edgevit.data.tiles import tile_count
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
    sizes: tuple[tuple[int, int], ...] = ()
    """Height and width of each image, where each is fed in the tiles of ``preprocessing``, which follow each other in ``pixels``; none
    where each is one picture, whatever ``preprocessing`` says of tiles."""

    def __len__(self) -> int:
        return len(self.samples.ids)

    @property
    def tile_counts(self) -> tuple[int, ...]:
        """Rows of each image: one where it is fed as a whole."""
        if not self.sizes:
            return (1,) * len(self)
        return tuple(tile_count(size, self.preprocessing.tiles) for size in self.sizes)

    def select(self, places: Sequence[int]) -> PreparedImages:
        """Returns only the images at these places, 0 for the first, in this order; they stay in the same array."""
        ids = tuple(self.samples.ids[place] for place in places)
        stored = range(sum(self.tile_counts)) if self.rows is None else self.rows
        ends = tuple(accumulate(self.tile_counts, initial=0))
        rows = tuple(row for place in places for row in stored[ends[place] : ends[place + 1]])
        sizes = tuple(self.sizes[place] for place in places) if self.sizes else ()
        return replace(self, samples=Samples(self.samples.source, ids), rows=rows, sizes=sizes)

    def batches(self, size: int = 1) -> Iterator[np.ndarray]:
        """Yields every image, or each of its tiles, bit for bit as :func:`edgevit.data.preprocess.fed_views` gives them.

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
        """Returns the images, each one picture, at these places as they are before normalization, [n, h, w, channels]: uint8, or float32 of arrays.

        Raises:
            UsageError: the images are decoded here, and one cannot be read.
        """
        if self.pixels is not None:
            array = read_rows(self.pixels)
            return np.stack([array[place if self.rows is None else self.rows[place]] for place in places])
        images = open_samples(self.samples)
        return np.stack([prepare_one(images, images.ids[place], self.preprocessing) for place in places])

    def array(self) -> np.ndarray:
        """Returns all images, each one picture, at once, float32 [n, channels, h, w], in a mapped file where they are many; see :meth:`batches`.

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
        if not self.sizes:
            return map_in_order(lambda name: normalize(prepare_one(images, name, self.preprocessing)), images.ids)
        prepared = map_in_order(lambda name: prepare_views(images, name, self.preprocessing), images.ids)
        return (normalize(view) for several in prepared for view in several)

    def _mapped(self, pixels: Path) -> Iterator[np.ndarray]:
        array, normalize = read_rows(pixels), normalizer(self.preprocessing)
        for row in range(len(array)) if self.rows is None else self.rows:
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


def prepare_views(images: ImageSet, image_id: str, contract: Preprocessing) -> np.ndarray:
    """Returns an image, or all of its tiles, as a model takes them before normalization.

    Returns:
        [views, height, width, channels], see :func:`edgevit.data.preprocess.views`.

    Raises:
        UsageError: it cannot be read, or is not of the kind that the model takes.
    """
    return np.stack(list(views(images.picture(image_id, contract), contract)))


def prepare_one(images: ImageSet, image_id: str, contract: Preprocessing) -> np.ndarray:
    """Returns one picture of an image as a model takes it before normalization: the image, or one of its tiles, always the same.

    Returns:
        [height, width, channels]: uint8, or float32 of arrays.

    Raises:
        UsageError: it cannot be read, or is not of the kind that the model takes.
    """
    return one_view(images.picture(image_id, contract), contract, zlib.crc32(image_id.encode()))


@dataclass(frozen=True)
class PrepareImagesJob:
    """Images to decode, resize and crop in a child process."""

    samples: Samples
    preprocessing: Preprocessing
    pixels: Path
    """Where to write them, ``.npy``; appears whole, or not at all."""
    most_bytes: int = MOST_BYTES
    all_tiles: bool = False
    """Whether each image is fed in all of its tiles, where the preprocessing has tiles; else one picture of each is prepared."""


def prepare_images(job: PrepareImagesJob) -> PreparedImages:
    """Decodes images once and writes them for all who read them, unless they would fill the disk.

    Returns:
        Without ``pixels`` where they would take more than ``most_bytes``, or half of the free disk: such images are
        decoded whenever they are read.

    Raises:
        UsageError: an image cannot be read.
    """
    images = open_samples(job.samples)
    found = PreparedImages(job.samples, job.preprocessing, sizes=_sizes(images, job) if job.all_tiles else ())
    height, width = job.preprocessing.input_size
    job.pixels.parent.mkdir(parents=True, exist_ok=True)
    room = min(job.most_bytes, int(_MOST_OF_FREE_DISK * shutil.disk_usage(job.pixels.parent).free))
    bytes_each, count = 4 if job.preprocessing.input == "array" else 1, sum(found.tile_counts)
    if count * height * width * job.preprocessing.channels * bytes_each > room:
        return found
    prepare = prepare_views if found.sizes else _prepare_alone

    def rows() -> Iterator[np.ndarray]:
        decoded = map_in_order(lambda name: prepare(images, name, job.preprocessing), images.ids)
        for done, several in enumerate(decoded, start=1):
            yield several
            report_progress(done, len(images))

    write_rows(job.pixels, count, rows())
    return replace(found, pixels=job.pixels)


def _prepare_alone(images: ImageSet, image_id: str, contract: Preprocessing) -> np.ndarray:
    return prepare_one(images, image_id, contract)[None]


def _sizes(images: ImageSet, job: PrepareImagesJob) -> tuple[tuple[int, int], ...]:
    """Height and width of each image, where it is fed in tiles."""
    if job.preprocessing.tiles is None:
        return ()
    return tuple(map_in_order(lambda name: size_of(images.picture(name, job.preprocessing)), images.ids))
