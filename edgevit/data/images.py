"""Image sources: folders, tables, arrays, the digits and calibration manifests, read as one kind of set."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from edgevit.data.array_form import ArrayForm, check_form
from edgevit.data.class_order import ClassOrder
from edgevit.data.image_arrays import open_arrays
from edgevit.data.image_files import IMAGE_SUFFIXES, FoundImages, check_name
from edgevit.data.image_folders import Part, open_folder
from edgevit.data.in_order import map_in_order
from edgevit.data.noise import NOISE, open_noise
from edgevit.data.other_labels import OtherLabels, as_array
from edgevit.data.preprocess import to_rgb
from edgevit.errors import UsageError, closest
from edgevit.results.artifact import Preprocessing
from edgevit.spec.input_file import MISSING, expand_user, file_problem
from edgevit.spec.toml_files import find, names, read_toml

_SELF_CONTAINED = re.compile("(digits|noise)(:|$)")
"""Sources that need no files."""
BROKEN_IMAGE = (
    OSError, ValueError, SyntaxError, LookupError, TypeError, ArithmeticError, EOFError, struct.error, zlib.error,
    UnidentifiedImageError, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises on a damaged image."""

Picture: TypeAlias = Image.Image | np.ndarray
"""Upright 8-bit RGB or grey, or an array [h, w, channels], uint8 or float32."""


def is_self_contained(source: str) -> bool:
    """Returns whether a source needs no files, so that any machine has the same images of it."""
    return bool(_SELF_CONTAINED.match(source))


@dataclass(frozen=True)
class Samples:
    """Names of chosen images of a source, by which any process can open the same images again."""

    source: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class ImageSet:
    """Images of one source, read one at a time."""

    source: str
    ids: tuple[str, ...]
    labels: tuple[int, ...] | None
    """Class index per image; None where the source has none."""
    _read: Callable[[str], bytes | np.ndarray]
    """Encoded file or values of an image, by id, see :class:`edgevit.data.image_files.FoundImages`."""
    _digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Digests computed so far, by id; a set shares them with those selected from it."""
    classes: ClassOrder | None = None
    """Names of the classes, where the source names them."""
    notes: tuple[str, ...] = ()
    """What of the source was left out, and what else has to be known, one sentence each."""
    form: ArrayForm | None = None
    """Of arrays; None for images that are decoded to RGB."""
    other_labels: OtherLabels | None = None
    """Labels that are not one class, where the source has such; ``labels`` is None then."""
    outputs: int = 0
    """Of the model that class indices are matched with; 0 where they are as their source has them."""

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, image_id: str) -> Image.Image:
        """Returns one image as upright 8-bit RGB.

        Raises:
            UsageError: the file is missing, broken or of a kind that cannot be read; the message names it.
        """
        try:
            stored = self._stored(image_id)
            if isinstance(stored, np.ndarray):
                stored = stored[..., 0] if stored.ndim == 3 and stored.shape[2] == 1 else stored
                return to_rgb(Image.fromarray(stored))
            return to_rgb(Image.open(io.BytesIO(stored)))
        except BROKEN_IMAGE as error:
            reason = "not an image" if isinstance(error, UnidentifiedImageError) else error
            raise UsageError(f"{self.source}: cannot read image {image_id}: {reason}", "fix or remove it") from error

    def picture(self, image_id: str, contract: Preprocessing) -> Picture:
        """Returns one image with the channels that a model takes.

        Args:
            image_id: Of the image.
            contract: Of the model.

        Returns:
            An image in 8-bit RGB, or in grey by ITU-R 601-2 for a model of one channel; an array as it is, [h, w, channels],
            for one of any other number, or that takes arrays.

        Raises:
            UsageError: it cannot be read, or is not of the kind that the model takes.
        """
        check_form(self.form, self.source, contract)
        if contract.input == "image" and contract.channels in (1, 3):
            image = self.image(image_id)
            return image if contract.channels == 3 else image.convert("L")
        return self.values(image_id)

    def values(self, image_id: str) -> np.ndarray:
        """Returns the values of one image as the source has them.

        Returns:
            [h, w, channels]: uint8, RGB where it is decoded; float32 of an archive of floats.

        Raises:
            UsageError: the image cannot be read.
        """
        stored = self._stored(image_id) if self.form else None
        if not isinstance(stored, np.ndarray):
            return np.asarray(self.image(image_id))
        return stored[..., None] if stored.ndim == 2 else stored

    def sha256(self, image_id: str) -> str:
        """Returns the SHA-256 digest of one image as stored, in hex; each image is read once for it.

        Raises:
            UsageError: the file is missing or cannot be read; the message names it.
        """
        if image_id not in self._digests:
            stored = self._stored(image_id)
            content = np.ascontiguousarray(stored).data if isinstance(stored, np.ndarray) else stored
            self._digests[image_id] = hashlib.sha256(content).hexdigest()
        return self._digests[image_id]

    def _stored(self, image_id: str) -> bytes | np.ndarray:
        try:
            return self._read(image_id)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"{self.source}: cannot read image {image_id}: {reason}", "fix or remove it") from error

    def select(self, ids: tuple[str, ...]) -> ImageSet:
        """Returns the set with only these images, in this order.

        Raises:
            UsageError: an id is not in the source.
        """
        position = {image_id: index for index, image_id in enumerate(self.ids)}
        lost = [image_id for image_id in ids if image_id not in position]
        if lost:
            near = closest(lost[0], self.ids, 1)
            raise UsageError(
                f"{self.source} has no image {lost[0]!r} ({len(lost)} of {len(ids)} are missing)",
                f"did you mean {near[0]}?" if near else "were images removed or renamed since they were chosen?",
            )
        places = [position[image_id] for image_id in ids]
        labels = None if self.labels is None else tuple(self.labels[place] for place in places)
        others: Any = None if self.other_labels is None else tuple(self.other_labels[place] for place in places)
        return replace(self, ids=ids, labels=labels, other_labels=others)

    @property
    def targets(self) -> np.ndarray | None:
        """Labels as metrics read them: int64 [n] class indices, or see :func:`edgevit.data.other_labels.as_array`."""
        if self.other_labels is not None:
            return as_array(self.other_labels, self.outputs)
        return None if self.labels is None else np.array(self.labels, np.int64)

    @property
    def samples(self) -> Samples:
        """Names of the images, to open them again in another process."""
        return Samples(self.source, self.ids)


def open_images(source: str, part: Part = "evaluation") -> ImageSet:
    """Opens a source of images without decoding any.

    Args:
        source: "digits" (its test images), "digits:train|calibration|test", a folder of class sub-folders, a folder
            with labels.csv, a folder of images (no labels), an .npz with "images" and "labels" (see
            :mod:`edgevit.data.image_arrays`), a calibration manifest (.toml, or "calibration:" and the name of a shipped one), or "noise:N". A manifest whose images lie
            elsewhere is followed by "@" and their folder: "calibration:flowers5@data/flowers5".
        part: What the images are for; it decides which half of a root with ``train/`` and ``val/`` is read.

    Raises:
        UsageError: there is no such source, it is empty, or malformed.
    """
    if source == "digits" or source.startswith("digits:"):
        return _digits(source)
    if source.startswith(f"{NOISE}:"):
        return _image_set(open_noise(source))
    manifest, _, images_at = source.partition("@")
    if manifest.startswith("calibration:"):
        return _read_manifest(find("calibration", manifest.removeprefix("calibration:")), source, images_at)
    if images_at and manifest.lower().endswith(".toml"):
        return _read_manifest(_existing(manifest), source, images_at)
    path = _existing(source)
    if path.is_dir():
        images = _image_set(open_folder(path, part))
    elif path.suffix.lower() == ".npz":
        images = _image_set(open_arrays(path))
    elif path.suffix.lower() == ".toml":
        images = _read_manifest(path, source)
    else:
        raise UsageError(
            f"cannot read images from {source}", "give a folder, an .npz or a calibration manifest (.toml)"
        )
    if not images.ids:
        left_out = f" ({'; '.join(images.notes)})" if images.notes else ""
        raise UsageError(f"no images in {source}{left_out}", f"suffixes that count: {', '.join(IMAGE_SUFFIXES)}")
    return images


def _existing(source: str) -> Path:
    """The folder or file that a source names."""
    known = ["digits", *(f"calibration:{name}" for name in names("calibration"))]
    hint = f"a folder, an .npz, a manifest (.toml), or one of: {', '.join(known)}"
    if not source.strip():
        raise UsageError("no image source is named: it is empty", hint)
    check_name(source, "image source")
    path = expand_user(source)
    problem = file_problem(path)
    if problem in (None, "it is a folder"):
        return path
    if problem != MISSING:
        raise UsageError(f"cannot read images from {source}: {problem}", hint)
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = [str(path.with_name(name)) for name in closest(path.name, siblings)] or closest(source, known)
    raise UsageError(
        f"no such image source: {source}", (f"did you mean {' or '.join(near)}? " if near else "") + f"give {hint}"
    )


def _image_set(found: FoundImages) -> ImageSet:
    return ImageSet(
        found.source,
        found.ids,
        found.labels,
        found.read,
        classes=found.classes,
        notes=found.notes,
        form=found.form,
        other_labels=found.other_labels,
    )


def open_samples(samples: Samples) -> ImageSet:
    """Opens chosen images again, for example in another process."""
    return open_images(samples.source).select(samples.ids)


def set_sha256(images: ImageSet) -> str:
    """Returns the SHA-256 digest of a set of images in any order: that of their sorted digests in hex, one per line."""
    return hashlib.sha256("\n".join(sorted_digests(images)).encode()).hexdigest()


def order_sha256(images: ImageSet) -> str:
    """Returns the SHA-256 digest of a set as it is read: id, label and digest of each image, in the order of the set."""
    labels = images.labels or images.other_labels or (None,) * len(images)
    lines = [[name, label, each] for name, label, each in zip(images.ids, labels, digests(images), strict=True)]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


def sorted_digests(images: ImageSet) -> tuple[str, ...]:
    """Returns the SHA-256 digests of the images as stored, in hex, one per image, sorted."""
    return tuple(sorted(digests(images)))


def digests(images: ImageSet) -> Iterator[str]:
    """Yields the SHA-256 digest of each image as stored, in hex, in the order of the set."""
    return map_in_order(images.sha256, images.ids)


def manifest(images: ImageSet, about: str) -> str:
    """Returns the manifest of a calibration set, a TOML document that :func:`open_images` reads back.

    Args:
        images: The calibration set.
        about: One line that says what the images are.
    """
    ids = "".join(f"    {json.dumps(image_id)},\n" for image_id in images.ids)
    return (
        f"about = {json.dumps(about)}\n"
        f"source = {json.dumps(images.source)}\n"
        f'# sha256 of the sorted sha256 digests of the images, one a line\nsha256 = "{set_sha256(images)}"\n'
        f"ids = [\n{ids}]\n"
    )


def _digits(source: str) -> ImageSet:
    from edgevit.data.digits import load_split

    split = load_split(source.partition(":")[2] or "test")
    by_id = dict(zip(split.ids, split.images, strict=True))
    return ImageSet(source, tuple(split.ids), tuple(int(label) for label in split.labels), by_id.__getitem__)


def _read_manifest(path: Path, source: str, images_at: str = "") -> ImageSet:
    document = read_toml(path)
    unknown = document.keys() - {"about", "source", "ids", "sha256"}
    inner, ids = document.get("source"), document.get("ids")
    if (
        unknown
        or not isinstance(inner, str)
        or not isinstance(ids, list)
        or not all(isinstance(one, str) for one in ids)
    ):
        raise UsageError(f"{path} is not a calibration manifest", "keys: about, source, ids, sha256")
    if inner.startswith("calibration:") or inner.endswith(".toml"):
        raise UsageError(f"{path}: its source {inner} is a manifest too", "name the images themselves")
    if images_at:
        inner = images_at
    elif not _SELF_CONTAINED.match(inner) and not (path.parent / inner).exists() and not Path(inner).exists():
        raise UsageError(f"{path}: its images {inner} are not there", f"say where they are: {source}@FOLDER")
    images = open_images(str(path.parent / inner) if not images_at and (path.parent / inner).exists() else inner)
    chosen = images.select(tuple(ids))
    if document.get("sha256") != set_sha256(chosen):
        raise UsageError(
            f"{path}: the images of {inner} are not the ones that the manifest was made from (sha256 differs)",
            "restore the images, or make the manifest anew",
        )
    return replace(chosen, source=source)
