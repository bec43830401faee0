"""Folders of images: class folders, a table of labels, plain images, or a root with ``train/`` and ``val/``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from edgevit.data.class_order import CLASSES_FILE, order_folders, order_note
from edgevit.data.image_files import IMAGE_SUFFIXES, FoundImages, Listing, list_folder, read_image_file, unread_note
from edgevit.data.labels_table import LABELS_FILE, classes_of, other_labels_of, read_labels
from edgevit.data.own_output import is_own_output
from edgevit.errors import UsageError, closest
from edgevit.spec.input_file import MISSING, file_problem

Part = Literal["evaluation", "training"]
"""What images are for; it decides which half of a root with ``train/`` and ``val/`` is read."""

_PARTS: dict[Part, tuple[str, ...]] = {
    "evaluation": ("val", "validation", "valid", "test"),
    "training": ("train", "training"),
}
_NO_IMAGES = "no images by their suffix"


def open_folder(folder: Path, part: Part) -> FoundImages:
    """Finds the images of a folder without decoding any.

    Args:
        folder: It exists.
        part: Which half is meant where the folder is a root with ``train/`` and ``val/``.

    Raises:
        UsageError: it is malformed: a class folder without images, a lost link, a table that does not fit.
    """
    table = folder / LABELS_FILE
    if table.exists() or table.is_symlink():
        return _listed(folder, table)
    listing = list_folder(folder)
    inner = {name: list_folder(folder / name) for name in listing.folders if not is_own_output(folder / name)}
    if _is_root(listing, inner):
        return _half(folder, listing, inner, part)
    if any(one.images for one in inner.values()):
        return _class_folders(folder, listing, inner)
    notes = (
        unread_note(folder, listing.others, _NO_IMAGES),
        unread_note(folder, (f"{name}/" for name in inner), "folders without images"),
    )
    return FoundImages(str(folder), listing.images, None, _reader(folder), notes=tuple(filter(None, notes)))


def _is_root(listing: Listing, inner: dict[str, Listing]) -> bool:
    """Whether sub-folders are halves of a data set, not classes: all are named so, or they hold class folders."""
    if not inner or listing.images:
        return False
    halves = {name.lower() for name in inner}
    if any(halves & set(names) for names in _PARTS.values()) and halves <= set().union(*_PARTS.values()):
        return True
    return not any(one.images for one in inner.values()) and any(one.folders for one in inner.values())


def _half(folder: Path, listing: Listing, inner: dict[str, Listing], part: Part) -> FoundImages:
    by_name = {name.lower(): name for name in listing.folders}
    wanted = next((by_name[name] for name in _PARTS[part] if name in by_name), None)
    if wanted is None:
        choices = [str(folder / name) for name, one in inner.items() if one.images or one.folders]
        raise UsageError(
            f"{folder} holds neither images nor class folders, but folders of them: {', '.join(listing.folders)}",
            f"give one of those: {' or '.join(choices[:4])}",
        )
    found = open_folder(folder / wanted, part)
    others = ", ".join(f"{name}/" for name in listing.folders if name != wanted)
    note = f"{folder} has {wanted}/" + (f" beside {others}" if others else "") + f": {folder / wanted} is read"
    return replace(found, notes=(note, *found.notes))


def _class_folders(folder: Path, listing: Listing, inner: dict[str, Listing]) -> FoundImages:
    """One class per sub-folder."""
    order = order_folders(folder, [name for name, one in inner.items() if one.images])
    empty = [name for name, one in inner.items() if not one.images and not order.explicit]
    if empty:  # left out, it would shift the class index of those after it
        held = inner[empty[0]].others
        suffixes = ", ".join(sorted({Path(name).suffix or name for name in held}))
        raise UsageError(
            f"{folder}: the class folder {empty[0]} holds no images"
            + (f" that are read ({len(held)} files: {suffixes})" if held else ""),
            f"fill or remove it, or name all classes in {folder / CLASSES_FILE}; read are {', '.join(IMAGE_SUFFIXES)}",
        )
    names = sorted((name for name, one in inner.items() if one.images), key=lambda name: order.index[name])
    entries = [(f"{name}/{file}", order.index[name]) for name in names for file in inner[name].images]
    stray = [*listing.images, *(name for name in listing.others if name != CLASSES_FILE)]
    within = (f"{name}/{other}" for name, one in inner.items() for other in one.others)
    deeper = (f"{name}/{other}/" for name, one in inner.items() for other in one.folders)
    notes = (
        order_note(order),
        unread_note(folder, stray, "beside the class folders"),
        unread_note(folder, within, _NO_IMAGES),
        unread_note(folder, deeper, "folders within class folders"),
    )
    return FoundImages(
        str(folder),
        tuple(name for name, _ in entries),
        tuple(label for _, label in entries),
        _reader(folder),
        order,
        tuple(filter(None, notes)),
    )


def _listed(folder: Path, table: Path) -> FoundImages:
    """The images that a table of labels lists, beside it or under ``images/``."""
    files: dict[str, Path] = {}
    rows = read_labels(table)
    for row in rows:
        where = f"{table} line {row.line}"
        place = _place(folder, row.file, where)
        if row.file in files:
            raise UsageError(f"{where}: {row.file!r} is listed twice", "list every image once")
        files[row.file] = place
    listed = set(files.values())
    unlisted = [str(path.relative_to(folder)) for path in _images_beside(folder) if path not in listed]
    note = unread_note(folder, unlisted, f"not listed in {LABELS_FILE}")
    return FoundImages(
        str(folder),
        tuple(files),
        classes_of(rows),
        lambda image_id: read_image_file(files[image_id]),
        notes=(note,) if note else (),
        other_labels=other_labels_of(rows),
    )


def _place(folder: Path, name: str, where: str) -> Path:
    """The file that a row means; by its name alone it may not reach out of the folder, a link in it may."""
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise UsageError(
            f"{where}: no file {name!r} is read, for the name leads out of {folder}",
            "name files relative to the table, beside it or under images/",
        )
    places = [folder / relative, folder / "images" / relative]
    problems = [file_problem(place) if name else MISSING for place in places]
    for place, problem in zip(places, problems, strict=True):
        if problem is None:
            return place
    told = next((problem for place, problem in zip(places, problems, strict=True) if name and place.is_symlink()), None)
    if told:
        raise UsageError(
            f"{where}: {name!r} cannot be read: {told}", "fetch what the link points to, or remove the row"
        )
    near = closest(name, [str(path.relative_to(folder)) for path in _images_beside(folder)], 1)
    raise UsageError(
        f"{where}: no file {name!r} beside it or under images/",
        f"did you mean {near[0]}?" if near else "name files relative to the table",
    )


def _images_beside(folder: Path) -> Iterator[Path]:
    for place in (folder, folder / "images"):
        if place.is_dir():
            yield from (
                path
                for path in sorted(place.iterdir())
                if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
            )


def _reader(folder: Path) -> Callable[[str], bytes]:
    return lambda image_id: read_image_file(folder / image_id)
