"""Preprocessing from a decoded image to a model's input, with numpy and Pillow alone: the same on a host and a board."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from PIL import ExifTags, Image

from edgevit.data.normalize import normalizer
from edgevit.data.tiles import Tile, enlarged_size, find_tiles, tile_count
from edgevit.results.artifact import Preprocessing

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How an image of each EXIF orientation is made upright."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts any image to upright 8-bit RGB.

    EXIF rotation is applied; grey is repeated; 16-bit grey is scaled to 8 bits (Pillow alone would clip it); CMYK and
    palettes are converted; alpha is dropped, as training pipelines do.

    Raises:
        ValueError: floating-point pixels, which have no agreed range, or no pixels.
    """
    if 0 in image.size:
        raise ValueError("it has no pixels")
    upright = _upright(image)
    if upright.mode in ("I;16", "I;16B", "I;16L", "I"):
        pixels = np.asarray(upright).astype(np.int64)
        return Image.fromarray((pixels.clip(0, 65535) // 257).astype(np.uint8)).convert("RGB")
    if upright.mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    return upright.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    """Turns an image as its EXIF orientation says; other tags, damaged ones among them, do not matter."""
    image.load()  # first, for a TIFF is turned by Pillow, which then drops the tag
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, ArithmeticError, EOFError, struct.error):
        return image  # no EXIF that could be read, which other programs show as it is stored, too
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def views(image: Image.Image | np.ndarray, contract: Preprocessing) -> Iterator[np.ndarray]:
    """Yields what a model is fed of an image, before it is normalized: the image, or each of its tiles.

    Args:
        image: See :func:`preprocess`.
        contract: See :func:`preprocess`.

    Yields:
        uint8 or float32 [height, width, channels], see :func:`resize_and_crop`; tiles row by row.
    """
    found = find_tiles(size_of(image), contract.tiles)
    if contract.tiles is None or not found:
        yield resize_and_crop(image, contract)
        return
    whole_tile = replace(contract, crop_pct=1.0, crop_mode="squash")
    enlarged = _resized(image, enlarged_size(size_of(image), contract.tiles), _RESAMPLING[contract.interpolation])
    for tile in found:
        yield resize_and_crop(_cut(enlarged, tile), whole_tile)


def fed_views(image: Image.Image | np.ndarray, contract: Preprocessing) -> Iterator[np.ndarray]:
    """Yields an image as a model is fed with it, or each of its tiles.

    Args:
        image: See :func:`preprocess`.
        contract: See :func:`preprocess`.

    Yields:
        float32 [1, channels, height, width]; where pixels are fed as they are, uint8 [1, height, width, channels].
    """
    normalize = normalizer(contract)
    for view in views(image, contract):
        yield np.array(view)[None] if _leaves_pixels(contract) else normalize(view)[None]  # writable, unlike Pillow's


def one_view(image: Image.Image | np.ndarray, contract: Preprocessing, seed: int) -> np.ndarray:
    """Returns an image as :func:`views` does, or one of its tiles, for what needs pictures like those that are fed.

    Args:
        image: See :func:`preprocess`.
        contract: See :func:`preprocess`.
        seed: Chooses the tile.

    Returns:
        uint8 or float32 [height, width, channels].
    """
    count = tile_count(size_of(image), contract.tiles)
    return next(islice(views(image, contract), seed % count, None))


def size_of(image: Image.Image | np.ndarray) -> tuple[int, int]:
    """Returns height and width in pixels of an image, or of an array [height, width, channels]."""
    return (image.height, image.width) if isinstance(image, Image.Image) else (image.shape[0], image.shape[1])


def _resized(
    image: Image.Image | np.ndarray, size: tuple[int, int], resampling: Image.Resampling
) -> Image.Image | np.ndarray:
    """An image enlarged to height and width, if that is not its size."""
    if size == size_of(image):
        return image
    if isinstance(image, Image.Image):
        return image.resize((size[1], size[0]), resampling)
    planes = [Image.fromarray(np.ascontiguousarray(image[..., channel])) for channel in range(image.shape[2])]
    return np.stack([np.asarray(plane.resize((size[1], size[0]), resampling)) for plane in planes], axis=2)


def _cut(image: Image.Image | np.ndarray, tile: Tile) -> Image.Image | np.ndarray:
    bottom, right = tile.top + tile.height, tile.left + tile.width
    if isinstance(image, Image.Image):
        return image.crop((tile.left, tile.top, right, bottom))
    return image[tile.top : bottom, tile.left : right]


def preprocess(image: Image.Image | np.ndarray, contract: Preprocessing) -> np.ndarray:
    """Resizes, crops and normalizes an image as timm's evaluation transform does; an array that is taken as it is, only the last.

    The image is taken as a whole: tiles are for :func:`fed_views`.

    Args:
        image: 8-bit RGB, see :func:`to_rgb`, or grey; or [h, w, channels], uint8, or float32 for a model that takes arrays.
        contract: Input size, interpolation, crop, mean and standard deviation.

    Returns:
        float32 [channels, height, width], contiguous.
    """
    return normalizer(contract)(resize_and_crop(image, contract))


def _leaves_pixels(contract: Preprocessing) -> bool:
    """Whether normalizing an image gives its pixels, as numbers in 0..255."""
    return contract.input == "image" and set(contract.mean) == {0.0} and set(contract.std) == {1 / 255}


def resize_and_crop(image: Image.Image | np.ndarray, contract: Preprocessing) -> np.ndarray:
    """Resizes and crops an image to the input size, without normalizing it; an array that is taken as it is stays so.

    Args:
        image: See :func:`preprocess`.
        contract: Input size, interpolation and crop.

    Returns:
        uint8 [height, width, channels]; float32 of an array that is taken as it is.
    """
    if contract.input == "array":
        return np.asarray(image, np.float32)
    if isinstance(image, np.ndarray):
        return np.stack([_resized_plane(image[..., channel], contract) for channel in range(image.shape[2])], axis=2)
    pixels = _resized_plane(image, contract)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _resized_plane(plane: Image.Image | np.ndarray, contract: Preprocessing) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(plane)) if isinstance(plane, np.ndarray) else plane
    height, width = contract.input_size
    resampling = _RESAMPLING[contract.interpolation]
    if contract.crop_mode == "squash":
        rows, columns = covering_size(contract)
        return np.asarray(_center_crop(image.resize((columns, rows), resampling), height, width))
    return np.asarray(_center_crop(_resize_to_cover(image, contract, resampling), height, width))


def _resize_to_cover(image: Image.Image, contract: Preprocessing, resampling: Image.Resampling) -> Image.Image:
    """Resizes with the aspect ratio kept: the image covers ``input_size / crop_pct`` and equals it along one side."""
    target = covering_size(contract)
    height, width = image.height, image.width
    if target[0] != target[1]:  # timm rounds here, and truncates for a square
        ratio = min(height / target[0], width / target[1])
        new = (round(width / ratio), round(height / ratio))
    elif target[0] / height >= target[1] / width:
        new = (int(width * target[0] / height), target[0])
    else:
        new = (target[1], int(height * target[1] / width))
    return image if new == image.size else image.resize(new, resampling)


def covering_size(contract: Preprocessing) -> tuple[int, int]:
    """Returns height and width in pixels that an image is resized to cover, before the crop."""
    height, width = (math.floor(length / contract.crop_pct) for length in contract.input_size)
    return height, width


def _center_crop(image: Image.Image, height: int, width: int) -> Image.Image:
    top, left = round((image.height - height) / 2), round((image.width - width) / 2)
    return image.crop((left, top, left + width, top + height))
