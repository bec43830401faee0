"""Where results may go: nowhere that they would count as images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edgevit.data.image_files import IMAGE_SUFFIXES
from edgevit.data.own_output import is_own_output
from edgevit.errors import UsageError


def check_output_place(out: Path, sources: Iterable[str | None] = ()) -> None:
    """Refuses a folder for results that would become a class of images, or lies among those that are read.

    Args:
        out: The folder; need not exist.
        sources: Of images that the command reads; those that are no folders do not matter.

    Raises:
        UsageError: says which images.
    """
    place = out.resolve()
    for source in sources:
        folder = Path(source).resolve() if source else None
        if folder is not None and folder.is_dir() and place.is_relative_to(folder):
            raise _among(out, Path(str(source)))
    if _has_classes(place.parent):
        raise _among(out, place.parent)


def _among(out: Path, images: Path) -> UsageError:
    return UsageError(
        f"--out {out} lies among the images in {images}, and would count as a class of them",
        "choose a folder outside, with --out",
    )


def _has_classes(folder: Path) -> bool:
    """Whether a folder looks like one of class folders: several, each with images."""
    try:
        inner = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "." and not is_own_output(path)]
        return len(inner) > 1 and all(map(_holds_images, inner))
    except OSError:
        return False


def _holds_images(folder: Path) -> bool:
    return any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
