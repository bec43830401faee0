"""Image files: which names count as images, and how one is read whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import features

from edgevit.data.array_form import ArrayForm
from edgevit.data.class_order import ClassOrder
from edgevit.data.other_labels import OtherLabels
from edgevit.errors import UsageError
from edgevit.spec.input_file import file_problem

IMAGE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm",
    *((".avif",) if features.check("avif") else ()),  # type: ignore[no-untyped-call]
)  # fmt: skip
"""Suffixes in lower case; AVIF only where Pillow was built with it."""
MOST_BYTES = 512 << 20
"""A larger file is not read: no photograph is that large, and it would have to fit in memory."""
_NAMED = 5


@dataclass(frozen=True)
class FoundImages:
    """Images that a source holds, as they were found there."""

    source: str
    """By which any process finds them again."""
    ids: tuple[str, ...]
    labels: tuple[int, ...] | None
    read: Callable[[str], bytes | np.ndarray]
    """Encoded file or values of an image, by id: uint8 or float32, [h, w] or [h, w, channels]."""
    classes: ClassOrder | None = None
    """Names of the classes, where the source names them."""
    notes: tuple[str, ...] = ()
    """What was left out, and what else has to be known, one sentence each."""
    form: ArrayForm | None = None
    """Of arrays; None for files, and for what is RGB in any case."""
    other_labels: OtherLabels | None = None
    """Labels that are not one class, where the source has such; ``labels`` is None then."""


@dataclass(frozen=True)
class Listing:
    """What a folder holds, by name; hidden files are left out."""

    images: tuple[str, ...]
    folders: tuple[str, ...]
    others: tuple[str, ...]
    """Files that are not read."""


def list_folder(folder: Path) -> Listing:
    """Sorts what is in a folder into images, folders and others.

    Raises:
        UsageError: it may not be read, a link in it is lost, an image is no regular file, or a name is not UTF-8.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(
            f"cannot read {folder}: {error.strerror or error}", "give a folder that may be read"
        ) from error
    images: list[str] = []
    folders: list[str] = []
    others: list[str] = []
    lost: list[str] = []
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        check_name(entry.name, folder)
        if entry.is_dir():
            folders.append(entry.name)
            continue
        is_image, problem = entry.suffix.lower() in IMAGE_SUFFIXES, file_problem(entry)
        if problem and (is_image or (entry.is_symlink() and not entry.suffix)):
            lost.append(f"{entry.name}: {problem}")
        (images if is_image else others).append(entry.name)
    if lost:
        raise UsageError(
            f"{folder}: {len(lost)} {'image cannot' if len(lost) == 1 else 'images cannot'} be read:\n  "
            + "\n  ".join((*lost[:10], *([f"and {len(lost) - 10} more"] if len(lost) > 10 else []))),
            "fetch what the links point to, or remove them",
        )
    return Listing(tuple(images), tuple(folders), tuple(others))


def check_name(name: str, where: Path | str) -> None:
    """Refuses a name that is not UTF-8: no document could hold it.

    Args:
        name: As the operating system gave it.
        where: Folder that holds it, for the message.

    Raises:
        UsageError: it is not.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        shown = name.encode("utf-8", "backslashreplace").decode()
        raise UsageError(f"{where}: the file name {shown!r} is not UTF-8", "rename it") from error


def read_image_file(path: Path) -> bytes:
    """Returns a file of an image as stored.

    Raises:
        OSError: it is no regular file, is too large for an image, or cannot be read.
    """
    problem = file_problem(path)
    if problem:
        raise OSError(problem)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise OSError(f"it has {size / 1e6:,.0f} MB: too large for an image")
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)  # files of /proc tell no size
    if len(content) > MOST_BYTES:
        raise OSError("it is too large for an image")
    return content


def unread_note(folder: Path, names: Iterable[str], why: str) -> str | None:
    """Returns a sentence that counts and names what of a folder is not read; None where there is nothing.

    Args:
        folder: The source.
        names: Of what is left out.
        why: Such as "no images by their suffix".
    """
    left = tuple(names)
    if not left:
        return None
    suffixes = Counter(Path(name).suffix.lower() or "no suffix" for name in left)
    by_suffix = ", ".join(f"{suffix}: {count}" for suffix, count in suffixes.most_common(_NAMED))
    examples = ", ".join(left[:_NAMED]) + (" …" if len(left) > _NAMED else "")
    return f"{folder}: {len(left)} not read, {why} ({by_suffix}): {examples}"
