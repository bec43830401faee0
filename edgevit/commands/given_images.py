"""Images that a user names one by one: files, and the bundled digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edgevit.data.digits import load_split
from edgevit.data.image_files import read_image_file
from edgevit.data.images import ImageSet
from edgevit.errors import UsageError
from edgevit.spec.input_file import MISSING, file_problem, require_file

_DIGITS: Final = "digits-"
"""Begins the ids of the bundled digits, which no file holds."""
_EXAMPLE_DIGIT: Final = "digits-0010"


def open_given(images: Sequence[str]) -> ImageSet:
    """Opens images that a user named one by one, without decoding any.

    Args:
        images: Files, or ids of the digits' test images; a file goes before an id.

    Raises:
        UsageError: one is no file and no such id, or is given twice.
    """
    digits: dict[str, np.ndarray] = {}
    for image in images:
        path = Path(image)
        if images.count(image) > 1:
            raise UsageError(f"image {image} is given twice", "give it once")
        if path.is_dir():
            raise UsageError(f"{image} is a folder, not an image", f"name the images in it, such as {path / '*.jpg'}")
        problem = file_problem(path)
        if problem is None:
            continue
        if problem != MISSING:
            raise UsageError(f"cannot read image {image}: {problem}", "give image files that may be read")
        if image.startswith(_DIGITS) and not digits:
            split = load_split("test")
            digits = dict(zip(split.ids, split.images, strict=True))
        if image not in digits:
            require_file(path, "image", f"give image files, or the bundled digits by id, such as {_EXAMPLE_DIGIT}")

    def stored(image: str) -> bytes | np.ndarray:
        path = Path(image)
        return read_image_file(path) if file_problem(path) is None else digits[image]

    return ImageSet("images", tuple(images), None, stored)
