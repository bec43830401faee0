"""Labelled images in two halves: one that runs choose on, and the others, which judge what was chosen."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

FIRST = 445
"""Images of imagenet_val by name."""
_FLOWERS_CALIBRATION = 96


@dataclass(frozen=True)
class Halves:
    """Folders with images and their labels; none has an image of another."""

    first: Path
    """That runs choose on."""
    others: Path
    calibration: Path
    classes: int | None = None
    """Of the model, where it is not ImageNet's."""


def imagenet_halves(data: Path, out: Path) -> Halves:
    """Returns halves of imagenet_val, and imagenet_samples to calibrate with; see :func:`first_images`."""
    return Halves(first_images(data, out), other_images(data, out), data / "imagenet_samples")


def flowers_halves(data: Path, out: Path) -> Halves:
    """Returns parts of flowers5, of which 96 images calibrate; see :func:`first_images`.

    The file of every third image by name is in the same part, so that each has every class.
    """
    source, order = data / "flowers5", _rows(data / "flowers5")
    others = [row for place, row in enumerate(order) if place % 3]
    calibration = [row for place, row in enumerate(order) if not place % 3][:_FLOWERS_CALIBRATION]
    return Halves(
        _part(source, out / "flowers", others[::2]),
        _part(source, out / "flowers-others", others[1::2]),
        _part(source, out / "flowers-calibration", calibration),
        classes=5,
    )


def first_images(data: Path, out: Path) -> Path:
    """Returns a folder with the first images of imagenet_val by name, and their labels.

    Args:
        data: Holds imagenet_val.
        out: Where to make the folder, unless it is there.
    """
    source = data / "imagenet_val"
    return _part(source, out / "imagenet", _rows(source)[:FIRST])


def other_images(data: Path, out: Path) -> Path:
    """Returns a folder with all others, see :func:`first_images`."""
    source = data / "imagenet_val"
    return _part(source, out / "imagenet-others", _rows(source)[FIRST:])


def _rows(source: Path) -> list[dict[str, str]]:
    with (source / "labels.csv").open(newline="", encoding="utf-8") as stream:
        return sorted(csv.DictReader(stream), key=lambda row: row["file"])


def _part(source: Path, folder: Path, rows: list[dict[str, str]]) -> Path:
    if (folder / "labels.csv").is_file():
        return folder
    images = source / "images" if (source / "images").is_dir() else source
    for row in rows:
        target = folder / "images" / row["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(images / row["file"], target)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder
