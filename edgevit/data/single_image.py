"""One image that a user gives: a file, an image of Pillow, or an array of pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from edgevit.data.image_files import read_image_file
from edgevit.data.images import BROKEN_IMAGE
from edgevit.data.preprocess import to_rgb
from edgevit.errors import UsageError

AnyImage: TypeAlias = "str | Path | Image.Image | np.ndarray"


def read_single_image(given: AnyImage) -> Image.Image:
    """Returns an image as upright 8-bit RGB.

    Args:
        given: The path of a file, an image of Pillow, or uint8 pixels [h, w] or [h, w, 3], RGB.

    Raises:
        UsageError: the file cannot be read or holds no image, or the array is no such pixels.
    """
    if isinstance(given, np.ndarray):
        return _from_pixels(given)
    name = "the image" if isinstance(given, Image.Image) else str(given)
    try:
        return to_rgb(given if isinstance(given, Image.Image) else Image.open(io.BytesIO(read_image_file(Path(given)))))
    except BROKEN_IMAGE as error:
        reason = (
            "not an image" if isinstance(error, UnidentifiedImageError) else getattr(error, "strerror", None) or error
        )
        raise UsageError(
            f"cannot read {name}: {reason}", "give a file that Pillow reads, such as .jpg or .png"
        ) from error


def _from_pixels(pixels: np.ndarray) -> Image.Image:
    is_image = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if pixels.dtype != np.uint8 or not is_image or 0 in pixels.shape:
        raise UsageError(
            f"an array {pixels.dtype} {list(pixels.shape)} is no image",
            "give uint8 [height, width, 3], red first, 0 to 255",
        )
    return Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
