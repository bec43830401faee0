"""A teacher's predictions, stored once for each view of each image, and replayed exactly.

The largest logits are stored, and the probability of all other classes together, which they share evenly when they are
read: Wu et al., "TinyViT: Fast Pretraining Distillation for Small Vision Transformers", 2022.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edgevit.errors import DiskFull, UsageError
from edgevit.results.artifact import Preprocessing
from edgevit.results.document import from_json, to_json
from edgevit.run.files import disk_errors, open_no_link, write_atomically

MOST_KEPT = 100
"""Classes of an image whose logits are stored."""
_LOWEST = float(np.finfo(np.float16).min)
_KEY_FILE = "key.json"


@dataclass(frozen=True)
class CacheKey:
    """All that stored predictions depend on; with another one, they are not taken."""

    teacher: str
    """Name of the model."""
    teacher_sha256: str
    """Of its weights, see :func:`edgevit.model.load.weights_sha256`."""
    preprocessing: Preprocessing
    """The teacher's."""
    images_sha256: str
    """Of the training images in their order, see :func:`edgevit.data.images.order_sha256`."""
    images: int
    views: str
    """All that a view of an image depends on beside image and epoch: size, augmentation and seed, as text."""
    classes: int
    kept: int
    """Classes of an image whose logits are stored, 1..classes; :data:`MOST_KEPT` unless there are fewer."""


@dataclass(frozen=True)
class TopLogits:
    """The largest logits of images, in a form that can be stored."""

    logits: Tensor
    """float16 [b, k], each minus the largest of its image."""
    classes: Tensor
    """int64 [b, k], their classes."""
    rest: Tensor
    """float16 [b], logarithm of the sum of the exponentials of all other logits, minus the largest one."""


def top_logits(logits: Tensor, kept: int) -> TopLogits:
    """Returns the largest logits of each image, and how much probability the others have.

    Args:
        logits: float32 [b, classes], finite.
        kept: k, 1..classes.
    """
    from_largest = logits.float() - logits.float().amax(dim=1, keepdim=True)
    values, classes = from_largest.topk(kept, dim=1)
    rest = from_largest.scatter(1, classes, -math.inf).logsumexp(dim=1)
    return TopLogits(_half(values), classes, _half(rest))


def dense(top: TopLogits, classes: int) -> Tensor:
    """Returns logarithms of probabilities: those of the stored classes, and the rest in equal parts to all others.

    Args:
        top: Of b images.
        classes: Number of all classes.

    Returns:
        float32 [b, classes]; the probabilities of an image add up to 1.
    """
    kept = top.logits.shape[1]
    share = top.rest.float() - math.log(max(1, classes - kept))
    filled = share[:, None].expand(-1, classes).scatter(1, top.classes, top.logits.float())
    return filled.log_softmax(dim=1)


def size_bytes(key: CacheKey, epochs: int) -> int:
    """Returns how much the predictions of so many epochs take on disk."""
    return _record(key).itemsize * key.images * epochs


class TeacherCache:
    """Predictions of one teacher on one set of images, in a folder; a run that was stopped goes on with what is there.

    Several processes may read and write it at the same time, each its own images.
    """

    def __init__(self, folder: Path, key: CacheKey, epochs: int) -> None:
        """Opens the cache of a key, or makes it.

        Args:
            folder: Of caches, each in a folder of its own.
            key: See :class:`CacheKey`.
            epochs: How many will be stored.

        Raises:
            DiskFull: the disk does not have the room; nothing was written.
            UsageError: the folder of this key holds the predictions of another one, or a file that is not of a cache.
        """
        document = to_json(key)
        self._key, self._record = key, _record(key)
        self.folder = folder / hashlib.sha256(document).hexdigest()[:16]
        """Of this key."""
        self.bytes = size_bytes(key, epochs)
        """That all epochs take."""
        _check_room(self.folder, self.bytes)
        stated = self.folder / _KEY_FILE
        if not stated.exists():
            write_atomically(stated, document)
        elif _read_key(stated) != key:
            raise UsageError(f"{self.folder} holds the predictions of another teacher", "remove that folder")
        self._epoch = -1
        self._records = np.empty(0, self._record)

    def predictions(self, epoch: int, places: npt.NDArray[np.int64], teach: Callable[[], Tensor]) -> Tensor:
        """Returns the teacher's predictions for a batch, from the cache or, where one is missing, from the teacher.

        What the teacher says is stored first and then read like the rest, so that training is the same either way.

        Args:
            epoch: From 0 on.
            places: int64 [b], of the images in their set.
            teach: Returns the teacher's logits for the views of these images in this epoch, float32 [b, classes]. It is
                asked for the whole batch, for the size of a batch changes how sums are rounded.

        Returns:
            float32 [b, classes] on the CPU, logarithms of probabilities.

        Raises:
            DiskFull: there is no space left for this epoch.
            UsageError: the teacher's predictions are not finite.
        """
        stored = self._of_epoch(epoch)
        found = stored[places]
        missing = ~np.array([_is_whole(record) for record in found], dtype=bool)
        if missing.any():
            made = self._as_records(teach())
            found[missing] = made[missing]
            stored[places[missing]] = made[missing]
        top = TopLogits(
            torch.from_numpy(found["logits"].copy()),
            torch.from_numpy(found["classes"].astype(np.int64)),
            torch.from_numpy(found["rest"].copy()),
        )
        return dense(top, self._key.classes)

    def _of_epoch(self, epoch: int) -> np.ndarray:
        """The records of an epoch, mapped from its file; one that was never written is all zeros."""
        if epoch != self._epoch:
            path = self.folder / f"epoch-{epoch:04d}.bin"
            size = size_bytes(self._key, 1)
            with disk_errors(path), os.fdopen(open_no_link(path, os.O_RDWR), "r+b") as stream:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(stream.fileno(), 0, size)  # or a disk that fills up later would end the process
                elif os.fstat(stream.fileno()).st_size < size:
                    stream.truncate(size)
                self._records = np.memmap(stream, self._record, "r+", shape=(self._key.images,))
            self._epoch = epoch
        return self._records

    def _as_records(self, logits: Tensor) -> np.ndarray:
        if not torch.isfinite(logits).all():
            raise UsageError(
                f"the predictions of the teacher {self._key.teacher} are not finite",
                "are its weights and preprocessing right?",
            )
        top = top_logits(logits.detach().cpu(), self._key.kept)
        records = np.zeros(len(logits), self._record)
        records["logits"], records["classes"], records["rest"] = top.logits, top.classes, top.rest
        records["checksum"] = [_checksum(record) for record in records]
        return records


def _record(key: CacheKey) -> np.dtype:
    """Of one view of one image. The checksum shows that it was written, and whole: that of zeros is not zero."""
    places = "<u2" if key.classes <= np.iinfo(np.uint16).max else "<u4"
    return np.dtype(
        [("logits", "<f2", (key.kept,)), ("rest", "<f2"), ("classes", places, (key.kept,)), ("checksum", "<u4")]
    )


def _checksum(record: np.void) -> int:
    return zlib.crc32(record.tobytes()[:-4])


def _is_whole(record: np.void) -> bool:
    return bool(record["checksum"] == _checksum(record))


def _check_room(folder: Path, needed: int) -> None:
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    stored = sum(file.stat().st_size for file in folder.glob("epoch-*.bin"))
    free = shutil.disk_usage(there).free
    if needed - stored > free:
        raise DiskFull(
            f"the teacher's predictions take {needed / 1e9:.1f} GB in {folder.parent}, and its disk has {free / 1e9:.1f} GB left",
            "free some space, name a folder on another disk, or leave out the cache: then the teacher is run in every epoch",
        )


def _read_key(path: Path) -> CacheKey:
    try:
        return from_json(CacheKey, path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not the key of a cache: {error}", "remove its folder") from error


def _half(values: Tensor) -> Tensor:
    """float16, finite: what is lower than its range has a probability of 0 anyhow."""
    return values.clamp(min=_LOWEST).half()
