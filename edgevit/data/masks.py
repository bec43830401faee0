"""Masks of classes beside images: a folder of PNG files, one for each image by its stem, each pixel the index of its class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from edgevit.data.images import ImageSet
from edgevit.data.preprocess import resize_and_crop
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing

IGNORED = 255
"""Index of pixels that count nowhere, as in Pascal VOC and Cityscapes."""
_MODES = ("L", "P", "1")
"""Kinds of PNG whose pixels are indices: grey, palette, and two levels."""


def open_masks(
    images: ImageSet, folder: Path, wanted: Preprocessing, size: tuple[int, int], classes: int
) -> np.ndarray:
    """Reads the mask of each image, brought to the size of a model's output as the image is to that of its input.

    A mask is resized by the nearest pixel and cropped where the image is, and then resized to the output.

    Args:
        images: Whose masks are read.
        folder: Holds "a.png" for the image "a.jpg", at its place in sub-folders or without them.
        wanted: What is done to the images.
        size: Height and width of the output.
        classes: That the output tells apart.

    Returns:
        uint8 [n, height, width]: indices of classes, or 255.

    Raises:
        UsageError: there is no such folder, a mask is missing or is no PNG of indices, it is of another size than its image, or it has
            a class that the output does not have.
    """
    if not folder.is_dir():
        raise UsageError(
            f"no such folder of masks: {folder}", "give --masks DIR, with a .png for each image by its stem"
        )
    missing = [image_id for image_id in images.ids if _file(folder, image_id) is None]
    if missing:
        raise UsageError(
            f"{folder} has no mask for {len(missing)} of {len(images)} images, such as {missing[0]}",
            f"the mask of a.jpg is {folder}/a.png",
        )
    geometry = replace(wanted, interpolation="nearest")
    masks = [_read(images, image_id, folder, geometry, size) for image_id in images.ids]
    for image_id, mask in zip(images.ids, masks, strict=True):
        outside = mask[(mask >= classes) & (mask != IGNORED)]
        if outside.size:
            raise UsageError(
                f"the mask of {image_id} has the class {int(outside.max())}, and the output has {classes} classes (0 to"
                f" {classes - 1})",
                f"number the classes as the model does; pixels that count nowhere are {IGNORED}",
            )
    return np.stack(masks)


def _file(folder: Path, image_id: str) -> Path | None:
    path = Path(image_id)
    places = (folder / path.with_suffix(".png"), folder / f"{path.stem}.png")
    return next((place for place in places if place.is_file()), None)


def _read(images: ImageSet, image_id: str, folder: Path, geometry: Preprocessing, size: tuple[int, int]) -> np.ndarray:
    file = _file(folder, image_id)
    assert file is not None
    mask = _decoded(file)
    wanted = images.image(image_id).size
    if mask.size != wanted:
        raise UsageError(
            f"{file} is {mask.width} x {mask.height} pixels, its image {image_id} {wanted[0]} x {wanted[1]}",
            "give masks of the size of their images",
        )
    cropped = Image.fromarray(resize_and_crop(mask, geometry).reshape(geometry.input_size))
    return np.asarray(cropped.resize((size[1], size[0]), Image.Resampling.NEAREST))


def _decoded(file: Path) -> Image.Image:
    try:
        with Image.open(file) as opened:
            opened.load()
            mask = opened.copy()
    except (OSError, ValueError, SyntaxError) as error:
        raise UsageError(f"cannot read the mask {file}: {error}", "give a PNG file") from error
    if mask.mode not in _MODES:
        raise UsageError(
            f"the mask {file} has pixels of {mask.mode}, not indices of classes",
            "give PNG files in grey or with a palette, whose pixels are the indices",
        )
    return Image.fromarray(np.asarray(mask).astype(np.uint8))
