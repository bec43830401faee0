"""Which class folder is which class: their natural order, a file of classes, or ImageNet's own identifiers."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.errors import UsageError, closest
from edgevit.spec.input_file import require_file

CLASSES_FILE = "classes.txt"
"""Beside class folders: the name of every class of the model, one a line, in the order of its outputs."""
IMAGENET_CLASSES = 1000
_WNID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class ClassOrder:
    """Class index of each named class."""

    index: dict[str, int]
    """By name, such as that of a class folder."""
    explicit: bool
    """Whether somebody wrote it down; otherwise it is the natural order of the class folders."""


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Returns what names are sorted by so that numbers in them count as numbers: "2" before "10", "a2" before "a10"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return (*((0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts), (2, 0, name))


def order_folders(folder: Path, names: Sequence[str]) -> ClassOrder:
    """Returns the class index of each class folder: that of the file of classes beside them, or their natural order.

    Args:
        folder: That holds the class folders.
        names: Of the class folders.

    Raises:
        UsageError: the file of classes cannot be read, names a class twice, or lacks a class folder.
    """
    file = folder / CLASSES_FILE
    if not (file.exists() or file.is_symlink()):
        return ClassOrder({name: index for index, name in enumerate(sorted(names, key=natural_key))}, explicit=False)
    classes = _read_classes(require_file(file, "file of classes"))
    unknown = [name for name in names if name not in classes]
    if unknown:
        near = closest(unknown[0], classes)
        raise UsageError(
            f"{file} lacks the class folder {unknown[0]}"
            + (f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""),
            (f"did you mean {near[0]}? " if near else "")
            + "list the folder name of every class, one a line, in the order of the model's outputs",
        )
    return ClassOrder({name: index for index, name in enumerate(classes)}, explicit=True)


def imagenet_order(names: Sequence[str]) -> ClassOrder | None:
    """Returns ImageNet's class index, 0 to 999, of each name; None unless all are identifiers of its 1000 classes."""
    if not all(_WNID.fullmatch(name) for name in names):
        return None
    known = imagenet_wnids()
    if not all(name in known for name in names):
        return None
    return ClassOrder({name: known[name] for name in names}, explicit=True)


@functools.cache
def imagenet_wnids() -> dict[str, int]:
    """Returns the class index, 0 to 999, of each WordNet identifier of ImageNet's 1000 classes."""
    lines = Path(__file__).with_name("imagenet_wnids.txt").read_text(encoding="ascii").split()
    return {name: index for index, name in enumerate(lines)}


def order_note(order: ClassOrder) -> str | None:
    """Returns what has to be known of the order of class folders where another tool would sort them otherwise."""
    names = sorted(order.index, key=lambda name: order.index[name])
    if order.explicit or names == sorted(names):
        return None
    first = next(index for index, (mine, other) in enumerate(zip(names, sorted(names), strict=True)) if mine != other)
    return (
        f"class folders are taken in the order of their numbers: {', '.join(names[: first + 1])} …; sorted as text, as"
        f" torchvision's ImageFolder does, {sorted(names)[first]} would come before {names[first]}: if the model was"
        f" trained so, write that order into {CLASSES_FILE} beside them"
    )


def _read_classes(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}", "write it as UTF-8 text, one class a line") from error
    classes = tuple(line.strip() for line in lines)
    for number, name in enumerate(classes, start=1):
        if not name or name in classes[: number - 1]:
            what = f"{name!r} is listed twice" if name else "it is empty"
            raise UsageError(f"{file} line {number}: {what}", "name every class once, one a line")
    return classes
