"""One image that a user gives: a file, an image of Pillow, or an array of pixels or other values."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from edgevit.data.array_form import ArrayForm, check_form, steps_to_fit
from edgevit.data.image_arrays import BROKEN_ARRAY
from edgevit.data.image_files import read_image_file
from edgevit.data.images import BROKEN_IMAGE, Picture
from edgevit.data.preprocess import to_rgb
from edgevit.errors import UsageError, first_line
from edgevit.results.artifact import Preprocessing

AnyImage: TypeAlias = "str | Path | Image.Image | np.ndarray"
_AXES = "[height, width, channels], or [height, width]"


def read_single_image(given: AnyImage, contract: Preprocessing) -> Picture:
    """Returns an image with the channels that a model takes.

    Args:
        given: The path of a file, an image of Pillow, or pixels uint8 [h, w] or [h, w, channels], RGB first; for a model that
            takes arrays floats of that shape. A file is an image, or an array in ``.npy``.
        contract: Of the model.

    Returns:
        Upright 8-bit RGB, or grey; an array [h, w, channels], uint8 or float32, for a model of other channels or one that takes
        arrays.

    Raises:
        UsageError: the file cannot be read or holds no image, or the array is not of the kind that the model takes.
    """
    if isinstance(given, str | Path) and str(given).lower().endswith((".npy", ".npz")):
        return _from_array(_read_array(Path(given)), str(given), contract)
    if isinstance(given, np.ndarray):
        return _from_array(given, "an array", contract)
    name = "the image" if isinstance(given, Image.Image) else str(given)
    check_form(None, name, contract)
    try:
        image = to_rgb(
            given if isinstance(given, Image.Image) else Image.open(io.BytesIO(read_image_file(Path(given))))
        )
    except BROKEN_IMAGE as error:
        reason = (
            "not an image" if isinstance(error, UnidentifiedImageError) else getattr(error, "strerror", None) or error
        )
        raise UsageError(
            f"cannot read {name}: {reason}", "give a file that Pillow reads, such as .jpg or .png"
        ) from error
    return image if contract.channels == 3 else image.convert("L")


def _read_array(path: Path) -> np.ndarray:
    try:
        found = np.load(path, allow_pickle=False)
    except BROKEN_ARRAY as error:
        raise UsageError(f"cannot read {path}: {first_line(error)}", f"write it with numpy.save: {_AXES}") from error
    if isinstance(found, np.ndarray):
        return found
    found.close()
    raise UsageError(
        f"{path} holds several arrays (.npz)", f"give one image, {_AXES}, in a file that numpy.save wrote (.npy)"
    )


def _from_array(values: np.ndarray, name: str, contract: Preprocessing) -> Picture:
    is_float = values.dtype in (np.float16, np.float32, np.float64)
    described = f"{values.dtype} {list(values.shape)}"
    arranged = values[..., None] if values.ndim == 2 else values
    is_image = (is_float or values.dtype == np.uint8) and arranged.ndim == 3 and values.size
    if not is_image or steps_to_fit(ArrayForm(described, is_float, arranged.shape[2], arranged.shape[:2]), contract):
        raise UsageError(f"{name} {described} is no image that the model takes", f"give {_wanted(contract)}")
    if is_float and not np.isfinite(arranged).all():
        raise UsageError(f"{name} holds NaN or infinity", "give finite values")
    if contract.input == "array" or contract.channels not in (1, 3):
        return arranged.astype(np.float32) if is_float else arranged
    is_grey = arranged.shape[2] == 1
    image = Image.fromarray(np.ascontiguousarray(arranged[..., 0] if is_grey else arranged)).convert("RGB")
    return image if contract.channels == 3 else image.convert("L")


def _wanted(contract: Preprocessing) -> str:
    height, width = contract.input_size
    if contract.input == "array":
        return f"float32 [{height}, {width}, {contract.channels}], finite values as they are"
    order = ", red first" if contract.channels == 3 else ""
    return f"uint8 [height, width, {contract.channels}]{order}, 0 to 255"
