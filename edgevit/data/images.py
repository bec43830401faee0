"""Image sources: folders, tables, arrays, the digits and calibration manifests, read as one kind of set."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from edgevit.data.in_order import map_in_order
from edgevit.data.own_output import is_own_output
from edgevit.data.preprocess import to_rgb
from edgevit.errors import UsageError
from edgevit.spec.toml_files import find, names, read_toml

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
NOISE = "noise"
"""Source of random images, for verifying a model that came without data."""
_PIXELS = "uint8 [n, h, w, 3] or [n, h, w]"


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
    """Encoded file or uint8 [h, w, 3] pixels of an image, by id."""
    _digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Digests computed so far, by id; a set shares them with those selected from it."""

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, image_id: str) -> Image.Image:
        """Returns one image as upright 8-bit RGB.

        Raises:
            UsageError: the file is missing, broken or of a kind that cannot be read; the message names it.
        """
        try:
            stored = self._read(image_id)
            return to_rgb(Image.fromarray(stored) if isinstance(stored, np.ndarray) else Image.open(io.BytesIO(stored)))
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            reason = "not an image" if isinstance(error, UnidentifiedImageError) else error
            raise UsageError(f"{self.source}: cannot read image {image_id}: {reason}", "fix or remove it") from error

    def sha256(self, image_id: str) -> str:
        """Returns the SHA-256 digest of one image as stored, in hex; each image is read once for it."""
        if image_id not in self._digests:
            stored = self._read(image_id)
            content = np.ascontiguousarray(stored).data if isinstance(stored, np.ndarray) else stored
            self._digests[image_id] = hashlib.sha256(content).hexdigest()
        return self._digests[image_id]

    def select(self, ids: tuple[str, ...]) -> ImageSet:
        """Returns the set with only these images, in this order.

        Raises:
            UsageError: an id is not in the source.
        """
        position = {image_id: index for index, image_id in enumerate(self.ids)}
        lost = [image_id for image_id in ids if image_id not in position]
        if lost:
            raise UsageError(f"{self.source} has no image {lost[0]!r} ({len(lost)} of {len(ids)} are missing)")
        labels = None if self.labels is None else tuple(self.labels[position[image_id]] for image_id in ids)
        return ImageSet(self.source, ids, labels, self._read, self._digests)

    @property
    def samples(self) -> Samples:
        """Names of the images, to open them again in another process."""
        return Samples(self.source, self.ids)


def open_images(source: str) -> ImageSet:
    """Opens a source of images without decoding any.

    Args:
        source: "digits" (its test images), "digits:train|calibration|test", a folder of class sub-folders, a folder
            with labels.csv, a folder of images (no labels), an .npz with "images" and "labels", a calibration
            manifest (.toml, or "calibration:" and the name of a shipped one), or "noise:N".

    Raises:
        UsageError: there is no such source, it is empty, or malformed.
    """
    if source == "digits" or source.startswith("digits:"):
        return _digits(source)
    if source.startswith(f"{NOISE}:"):
        return _noise(source)
    if source.startswith("calibration:"):
        return _read_manifest(find("calibration", source.removeprefix("calibration:")), source)
    path = Path(source)
    if not path.exists():
        known = ["digits", *(f"calibration:{name}" for name in names("calibration"))]
        raise UsageError(
            f"no such image source: {source}", f"a folder, an .npz, a manifest (.toml), or one of: {', '.join(known)}"
        )
    if path.is_dir():
        images = _labelled_by_csv(path) if (path / "labels.csv").is_file() else _folder(path)
    elif path.suffix == ".npz":
        images = _npz(path)
    elif path.suffix == ".toml":
        images = _read_manifest(path, source)
    else:
        raise UsageError(
            f"cannot read images from {source}", "give a folder, an .npz or a calibration manifest (.toml)"
        )
    if not images.ids:
        raise UsageError(f"no images in {source}", f"suffixes that count: {', '.join(IMAGE_SUFFIXES)}")
    return images


def open_samples(samples: Samples) -> ImageSet:
    """Opens chosen images again, for example in another process."""
    return open_images(samples.source).select(samples.ids)


def set_sha256(images: ImageSet) -> str:
    """Returns the SHA-256 digest of a set of images in any order: that of their sorted digests in hex, one per line."""
    return hashlib.sha256("\n".join(sorted_digests(images)).encode()).hexdigest()


def order_sha256(images: ImageSet) -> str:
    """Returns the SHA-256 digest of a set as it is read: id, label and digest of each image, in the order of the set."""
    labels = images.labels or (None,) * len(images)
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


def _noise(source: str) -> ImageSet:
    number = source.partition(":")[2]
    if not (number.isascii() and number.isdigit() and 0 < int(number) <= 100_000):
        raise UsageError(f"{source}: {number!r} is not a number of images", "such as noise:16")
    count = int(number)
    ids = tuple(str(index) for index in range(count))

    def pixels(image_id: str) -> np.ndarray:
        return np.random.default_rng(int(image_id)).integers(0, 256, (256, 256, 3), dtype=np.uint8)

    return ImageSet(source, ids, None, pixels)


def _labelled_by_csv(folder: Path) -> ImageSet:
    table = folder / "labels.csv"
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns, rows = reader.fieldnames or (), list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {table}: {error}", "write it as comma-separated UTF-8 text") from error
    lacking = {"file", "class_index"} - set(columns)
    if lacking:
        raise UsageError(f"{table} lacks the column {' and '.join(sorted(lacking))}", "columns: file, class_index")
    files: dict[str, Path] = {}
    labels = []
    for number, row in enumerate(rows, start=2):
        name, label = row["file"] or "", row["class_index"] or ""
        if not label.isascii() or not label.isdigit():
            raise UsageError(f"{table} line {number}: class_index {label!r} is not an integer ≥ 0")
        place = next((place for place in (folder / name, folder / "images" / name) if place.is_file()), None)
        if place is None or not place.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{table} line {number}: no file {name!r} beside it or under images/")
        if name in files:
            raise UsageError(f"{table} line {number}: {name!r} is listed twice")
        files[name] = place
        labels.append(int(label))
    return ImageSet(str(folder), tuple(files), tuple(labels), lambda image_id: files[image_id].read_bytes())


def _folder(folder: Path) -> ImageSet:
    """One class per sub-folder, in the order of their names; images without labels if no sub-folder holds images."""
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    sub_folders = [path for path in inner if not is_own_output(path)]
    class_folders = [path for path in sub_folders if _images_in(path)]
    if class_folders:
        empty = [path.name for path in sub_folders if path not in class_folders]
        if empty:  # left out, it would shift the class index of those after it
            raise UsageError(f"{folder}: the class folder {empty[0]} holds no images", "fill or remove it")
        entries = [
            (f"{path.name}/{file.name}", label) for label, path in enumerate(class_folders) for file in _images_in(path)
        ]
        labels = tuple(label for _, label in entries)
    else:
        entries = [(file.name, 0) for file in _images_in(folder)]
        labels = None
    return ImageSet(
        str(folder), tuple(name for name, _ in entries), labels, lambda image_id: (folder / image_id).read_bytes()
    )


def _images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def _npz(path: Path) -> ImageSet:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise UsageError(f"{path} holds one array (.npy), not named ones", "write it with numpy.savez")
        with loaded as arrays:
            held, images, labels = sorted(arrays), arrays.get("images"), arrays.get("labels")
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if images is None:
        raise UsageError(
            f'{path} needs an array "images", {_PIXELS}; it has {", ".join(map(repr, held)) or "no array"}'
        )
    _check_pixels(images, path)
    if labels is not None and (labels.shape != (len(images),) or labels.dtype.kind not in "iu" or (labels < 0).any()):
        raise UsageError(
            f'{path}: "labels" must be {len(images)} integers ≥ 0, one per image; it is {_described(labels)}'
            f"{' with negative numbers' if labels.dtype.kind == 'i' and (labels < 0).any() else ''}",
            "give the class index of every image, or leave labels out",
        )
    ids = tuple(str(index) for index in range(len(images)))
    return ImageSet(
        str(path), ids, None if labels is None else tuple(map(int, labels)), lambda image_id: images[int(image_id)]
    )


def _check_pixels(images: np.ndarray, path: Path) -> None:
    """Refuses an array that does not hold 8-bit images; names broken ones, or says how to convert it."""
    if images.dtype.kind in "fc" and images.ndim > 1:
        finite = np.isfinite(images).all(axis=tuple(range(1, images.ndim)))
        broken = [str(index) for index in np.flatnonzero(~finite)]
        if broken:
            more = f" and {len(broken) - 10} more" if len(broken) > 10 else ""
            raise UsageError(
                f"{path}: {len(broken)} of {len(images)} images hold NaN or infinity: {', '.join(broken[:10])}{more}",
                f'fix or remove them, and give "images" as {_PIXELS}',
            )
    steps = []
    if images.dtype != np.uint8:
        steps.append("give pixels from 0 to 255 as uint8, not normalized: edgevit does that as the model asks")
    if images.ndim == 4 and images.shape[3] != 3:
        forms = {1: "drop the last axis: images[..., 0]", 4: "drop the alpha channel: images[..., :3]"}
        by_channels_first = "put the channels last: images.transpose(0, 2, 3, 1)" if images.shape[1] in (1, 3) else None
        steps.append(forms.get(images.shape[3]) or by_channels_first or "the last axis must be red, green, blue")
    elif images.ndim == 2 or (images.ndim == 3 and images.shape[2] == 3):
        steps.append("it looks like a single image: images[None]")
    elif images.ndim not in (3, 4):
        steps.append("stack the images along the first axis")
    if steps:
        raise UsageError(f'{path} needs an array "images", {_PIXELS}; it is {_described(images)}', "; ".join(steps))


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _read_manifest(path: Path, source: str) -> ImageSet:
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
    images = open_images(str(path.parent / inner) if (path.parent / inner).exists() else inner)
    chosen = images.select(tuple(ids))
    if document.get("sha256") != set_sha256(chosen):
        raise UsageError(
            f"{path}: the images of {inner} are not the ones that the manifest was made from (sha256 differs)"
        )
    return ImageSet(source, chosen.ids, chosen.labels, chosen._read, chosen._digests)
