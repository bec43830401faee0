"""Images in an ``.npz`` archive: pixels as uint8, or values as floats, and, if there are any, labels.

The channels are the last axis, [n, h, w, channels], unless "layout" is "NCHW". Images of different sizes lie one after the
other: "images" is then [pixels, channels], and "sizes" int [n, 2] has the height and width of each.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.data.array_form import ArrayForm
from edgevit.data.image_files import FoundImages
from edgevit.data.other_labels import read_label_array
from edgevit.errors import UsageError, first_line
from edgevit.run.files import whole_file
from edgevit.spec.input_file import require_file

_PIXELS = "uint8 [n, h, w, 3] or [n, h, w]"
_MEMBERS = ("images", "labels", "sizes", "layout")
_LAYOUTS = ("NHWC", "NCHW")
_FORM = f'write it with numpy.savez(file, images=..., labels=...): "images" as {_PIXELS}'
BROKEN_ARRAY = (
    OSError, EOFError, ValueError, LookupError, TypeError, ArithmeticError, SyntaxError, MemoryError, RuntimeError,
    AttributeError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise on an archive that is damaged, encrypted or no archive."""


def open_arrays(path: Path) -> FoundImages:
    """Reads the images and labels of an archive.

    Args:
        path: It exists.

    Raises:
        UsageError: it cannot be read, or holds no images, or labels that do not fit them.
    """
    require_file(path, "image archive")
    held = _read(path)
    images, labels, sizes = held.get("images"), held.get("labels"), held.get("sizes")
    if images is None:
        raise UsageError(
            f'{path} needs an array "images", {_PIXELS}; it has {", ".join(map(repr, sorted(held))) or "no array"}',
            _FORM,
        )
    for name, array in held.items():
        if name in _MEMBERS and not isinstance(array, np.ndarray):
            raise UsageError(f"{path}: the member {name!r} is not an array", _FORM)
    layout = _layout(held.get("layout"), images, sizes, path)
    if sizes is None:
        _check_values(images, path)
        count, read = len(images), _reader(images, layout)
        is_flat = images.ndim == 3
        arranged = images.shape if layout == "NHWC" or is_flat else (len(images), *images.shape[2:], images.shape[1])
        channels, size = 1 if is_flat else arranged[3], (arranged[1], arranged[2])
        form = ArrayForm(_described(images), images.dtype.kind == "f", channels, size)
    else:
        count, read = len(sizes), _reader_of_sizes(images, sizes, path)
        form = ArrayForm(_described(images), images.dtype.kind == "f", images.shape[1], None)
    classes, others = (None, None) if labels is None else read_label_array(labels, count, str(path))
    ids = tuple(str(index) for index in range(count))
    return FoundImages(str(path), ids, classes, lambda image_id: read(int(image_id)), form=form, other_labels=others)


def write_arrays(path: Path, images: Sequence[np.ndarray], labels: np.ndarray | None) -> None:
    """Writes an archive that :func:`open_arrays` reads, whole or not at all; equal images give equal bytes.

    Args:
        path: ``.npz``.
        images: At least one, each [h, w, channels] of its own size; all uint8, or all float32.
        labels: int64 [n] class index of each, float64 [n] number of each, bool [n, classes], or None.

    Raises:
        DiskFull: there is no space left.
    """
    sizes = np.array([image.shape[:2] for image in images], np.int64)
    arrays = {"images": np.concatenate([image.reshape(-1, image.shape[2]) for image in images]), "sizes": sizes}
    if (sizes == sizes[0]).all():
        arrays = {"images": np.stack(images)}
    if labels is not None:
        arrays["labels"] = labels
    with whole_file(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _layout(given: Any, images: np.ndarray, sizes: np.ndarray | None, path: Path) -> str:
    """The order of the axes that an archive states; the channels are last where it states none."""
    if given is None:
        return "NHWC"
    text = str(given)
    if text not in _LAYOUTS or images.ndim != 4 or sizes is not None:
        raise UsageError(
            f'{path}: "layout" is {text[:20]!r}, of "images" {_described(images)}',
            f"it is {' or '.join(_LAYOUTS)}, and only images of one size, [n, h, w, channels] or [n, channels, h, w], have one",
        )
    return text


def _reader(images: np.ndarray, layout: str) -> Callable[[int], np.ndarray]:
    """Reads images of one size, each by its place, as uint8 or float32, [h, w] or [h, w, channels]."""
    kind = np.uint8 if images.dtype == np.uint8 else np.float32

    def read(place: int) -> np.ndarray:
        image: np.ndarray = images[place].astype(kind, copy=False)
        return image.transpose(1, 2, 0) if layout == "NCHW" else image

    return read


def _reader_of_sizes(pixels: np.ndarray, sizes: np.ndarray, path: Path) -> Callable[[int], np.ndarray]:
    """Reads images of different sizes, each by its place."""
    fits = (
        _is_readable(pixels.dtype)
        and sizes.dtype.kind in "iu"
        and sizes.ndim == 2
        and sizes.shape[1] == 2
        and (sizes > 0).all()
        and pixels.ndim == 2
        and len(pixels) == int(sizes.prod(axis=1).sum())
    )
    if not fits:
        raise UsageError(
            f'{path}: with "sizes", int [n, 2], "images" holds all their pixels one after the other, uint8 [pixels, channels];'
            f" they are {_described(sizes)} and {_described(pixels)}",
            _FORM,
        )
    ends = np.cumsum(sizes.prod(axis=1))

    def read(place: int) -> np.ndarray:
        height, width = (int(side) for side in sizes[place])
        end = int(ends[place])
        image = pixels[end - height * width : end].reshape(height, width, -1)
        return image if image.dtype == np.uint8 else image.astype(np.float32, copy=False)

    return read


def _read(path: Path) -> dict[str, Any]:
    """The members that are read, and the names of the others."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            raise UsageError(f"{path} holds one array (.npy), not named ones", "write it with numpy.savez")
        with loaded as arrays:
            return {name: arrays[name] if name in _MEMBERS else None for name in sorted(arrays)}
    except BROKEN_ARRAY as error:
        raise UsageError(f"cannot read {path}: {first_line(error)}", _FORM) from error


def _check_values(images: np.ndarray, path: Path) -> None:
    """Refuses an array that holds neither pixels nor floats; names broken images, or says how to convert it."""
    if images.dtype.kind in "fc" and images.ndim > 1:
        finite = np.isfinite(images).all(axis=tuple(range(1, images.ndim)))
        broken = [str(index) for index in np.flatnonzero(~finite)]
        if broken:
            more = f" and {len(broken) - 10} more" if len(broken) > 10 else ""
            raise UsageError(
                f"{path}: {len(broken)} of {len(images)} images hold NaN or infinity: {', '.join(broken[:10])}{more}",
                f'fix or remove them, and give "images" as {_PIXELS}, or as floats',
            )
    steps = []
    if not _is_readable(images.dtype):
        steps.append("give pixels from 0 to 255 as uint8, not normalized, or other values as float32")
    if images.ndim == 2 or (images.ndim == 3 and images.shape[2] == 3):
        steps.append("it looks like a single image: images[None]")
    elif images.ndim not in (3, 4):
        steps.append("stack the images along the first axis")
    if steps:
        raise UsageError(f'{path} needs an array "images", {_PIXELS}; it is {_described(images)}', "; ".join(steps))


def _is_readable(kind: np.dtype[Any]) -> bool:
    return kind == np.uint8 or kind in (np.float16, np.float32, np.float64)


def _described(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"
