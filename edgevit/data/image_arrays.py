"""Images in an ``.npz`` archive: pixels as uint8 and, if there are any, labels.

Images of different sizes lie one after the other: "images" is then uint8 [pixels, 3], and "sizes" int [n, 2] has the height
and width of each.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.data.image_files import FoundImages
from edgevit.errors import UsageError, first_line
from edgevit.run.files import whole_file
from edgevit.spec.input_file import require_file

_PIXELS = "uint8 [n, h, w, 3] or [n, h, w]"
_MEMBERS = ("images", "labels", "sizes")
_FORM = f'write it with numpy.savez(file, images=..., labels=...): "images" as {_PIXELS}'
_BROKEN = (
    OSError, EOFError, ValueError, LookupError, TypeError, ArithmeticError, SyntaxError, MemoryError, RuntimeError,
    AttributeError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise on an archive that is damaged, encrypted or no archive."""


def open_arrays(path: Path) -> FoundImages:
    """Reads the images and labels of an archive.

    Args:
        path: It exists.

    Raises:
        UsageError: it cannot be read, or holds no 8-bit images, or labels that do not fit them.
    """
    require_file(path, "image archive")
    held = _read(path)
    images, labels, sizes = held.get("images"), held.get("labels"), held.get("sizes")
    if images is None:
        raise UsageError(
            f'{path} needs an array "images", {_PIXELS}; it has {", ".join(map(repr, sorted(held))) or "no array"}',
            _FORM,
        )
    for name, array in (("images", images), ("labels", labels), ("sizes", sizes)):
        if array is not None and not isinstance(array, np.ndarray):
            raise UsageError(f"{path}: the member {name!r} is not an array", _FORM)
    if sizes is None:
        _check_pixels(images, path)
        count, read = len(images), images.__getitem__
    else:
        count, read = len(sizes), _reader_of_sizes(images, sizes, path)
    if labels is not None and (labels.shape != (count,) or labels.dtype.kind not in "iu" or (labels < 0).any()):
        raise UsageError(
            f'{path}: "labels" must be {count} integers ≥ 0, one per image; it is {_described(labels)}'
            f"{' with negative numbers' if labels.dtype.kind == 'i' and (labels < 0).any() else ''}",
            "give the class index of every image, or leave labels out",
        )
    ids = tuple(str(index) for index in range(count))
    return FoundImages(
        str(path), ids, None if labels is None else tuple(map(int, labels)), lambda image_id: read(int(image_id))
    )


def write_arrays(path: Path, images: Sequence[np.ndarray], labels: Sequence[int] | None) -> None:
    """Writes an archive that :func:`open_arrays` reads, whole or not at all; equal images give equal bytes.

    Args:
        path: ``.npz``.
        images: At least one, each uint8 [h, w, 3] of its own size.
        labels: Class index of each, or None.

    Raises:
        DiskFull: there is no space left.
    """
    sizes = np.array([image.shape[:2] for image in images], np.int64)
    arrays = {"images": np.concatenate([image.reshape(-1, 3) for image in images]), "sizes": sizes}
    if (sizes == sizes[0]).all():
        arrays = {"images": np.stack(images)}
    if labels is not None:
        arrays["labels"] = np.array(labels, np.int64)
    with whole_file(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _reader_of_sizes(pixels: np.ndarray, sizes: np.ndarray, path: Path) -> Callable[[int], np.ndarray]:
    """Reads images of different sizes, each by its place."""
    fits = (
        pixels.dtype == np.uint8
        and sizes.dtype.kind in "iu"
        and sizes.ndim == 2
        and sizes.shape[1] == 2
        and (sizes > 0).all()
        and pixels.shape == (int(sizes.prod(axis=1).sum()), 3)
    )
    if not fits:
        raise UsageError(
            f'{path}: with "sizes", int [n, 2], "images" holds all their pixels one after the other, uint8 [pixels, 3];'
            f" they are {_described(sizes)} and {_described(pixels)}",
            _FORM,
        )
    ends = np.cumsum(sizes.prod(axis=1))

    def read(place: int) -> np.ndarray:
        height, width = (int(side) for side in sizes[place])
        end = int(ends[place])
        return pixels[end - height * width : end].reshape(height, width, 3)

    return read


def _read(path: Path) -> dict[str, Any]:
    """The members "images", "labels" and "sizes", and the names of the others."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise UsageError(f"{path} holds one array (.npy), not named ones", "write it with numpy.savez")
        with loaded as arrays:
            return {name: arrays[name] if name in _MEMBERS else None for name in sorted(arrays)}
    except _BROKEN as error:
        raise UsageError(f"cannot read {path}: {first_line(error)}", _FORM) from error


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
