"""Two halves of imagenet_val: the first images by name, which runs choose on, and the others, which judge what was chosen."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

FIRST = 445
"""Images by name."""


def first_images(data: Path, out: Path) -> Path:
    """Returns a folder with the first images of imagenet_val by name, and their labels.

    Args:
        data: Holds imagenet_val.
        out: Where to make the folder, unless it is there.
    """
    return _part(data, out / "imagenet", slice(FIRST))


def other_images(data: Path, out: Path) -> Path:
    """Returns a folder with all others, see :func:`first_images`."""
    return _part(data, out / "imagenet-others", slice(FIRST, None))


def _part(data: Path, folder: Path, part: slice) -> Path:
    if (folder / "labels.csv").is_file():
        return folder
    with (data / "imagenet_val" / "labels.csv").open(newline="", encoding="utf-8") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["file"])[part]
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for row in rows:
        shutil.copyfile(data / "imagenet_val" / "images" / row["file"], folder / "images" / row["file"])
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder
