"""Calibration sets as files: which images of a source, chosen once, told by their digests; the images stay where they are."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from edgevit.data.calibration_warnings import calibration_warnings
from edgevit.data.images import ImageSet, manifest, open_images
from edgevit.data.sampling import balanced_sample
from edgevit.errors import UsageError
from edgevit.run.files import write_atomically


@dataclass(frozen=True)
class CalibrationSet:
    """A calibration set, and what can be said against it."""

    source: str
    images: int
    classes: int | None
    """How many classes its images are of; None without labels."""
    warnings: tuple[str, ...]
    """Reasons to doubt it, see :mod:`edgevit.data.calibration_warnings`."""


def make_calibration(data: str, out: Path, count: int, seed: int, about: str) -> CalibrationSet:
    """Chooses images of a source, equally many of each class, and writes their manifest.

    Args:
        data: Source of images; labels are used where it has them.
        out: ``.toml`` to write; a source below its folder is named relative to it.
        count: How many images.
        seed: Of the choice.
        about: One line that says what the images are.

    Raises:
        UsageError: the source cannot be read or has fewer images, or the file exists or is no ``.toml``.
    """
    if out.suffix.lower() != ".toml":
        raise UsageError(f"--out {out} does not end in .toml", "a manifest is TOML")
    if out.exists():
        raise UsageError(f"{out} exists", "remove it, or choose another --out")
    images = balanced_sample(open_images(data, "training"), count, seed)
    found = _describe(images)
    text = manifest(_named_from(images, out.resolve().parent), about)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, text.encode())
    return found


def check_calibration(source: str) -> CalibrationSet:
    """Opens a calibration set, whose images have to be those of its manifest, and looks for reasons to doubt it.

    Args:
        source: A manifest, "calibration:" and the name of a shipped one, or any other source of images.

    Raises:
        UsageError: it cannot be read, or its images are others.
    """
    return _describe(open_images(source, "training"))


def _describe(images: ImageSet) -> CalibrationSet:
    classes = len(set(images.labels)) if images.labels else None
    return CalibrationSet(images.source, len(images), classes, calibration_warnings(images))


def _named_from(images: ImageSet, folder: Path) -> ImageSet:
    """The set with its source relative to a folder that holds it, so that both can be moved together."""
    place = Path(images.source)
    if not place.exists():
        return images
    inside = place.resolve().is_relative_to(folder)
    return replace(images, source=os.path.relpath(place.resolve(), folder) if inside else str(place.resolve()))
