"""Images given in memory for a file, stored as the file takes them."""

from __future__ import annotations

from pathlib import Path

from edgevit.api.stored_images import Images, image_source
from edgevit.artifacts.usage import usage_of
from edgevit.spec.spec import PreprocessingOverrides


def source_for_file(file: Path, overrides: PreprocessingOverrides, images: Images, purpose: str, folder: Path) -> str:
    """Returns the source to name for a file, after writing what is in memory.

    Args:
        file: An artifact; it states whether it takes arrays as they are, unless that is given.
        overrides: What the caller says of its preprocessing.
        images: See :data:`Images`.
        purpose: Such as "calibration"; begins the name of what is written.
        folder: Where to write.

    Raises:
        UsageError: images are not of the kind that the file takes, or nobody says how they are preprocessed.
        DiskFull: there is no space left.
    """
    if isinstance(images, str | Path):
        return str(images)
    as_they_are = usage_of(file, overrides).preprocessing.input == "array"
    return image_source(images, purpose, folder, as_they_are=as_they_are)
