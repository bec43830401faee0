"""From an image file to the numbers a model sees, with nothing but numpy and Pillow: the same on a host and a board."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

from edgevit.results.artifact import Preprocessing

_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def to_rgb(image: Image.Image) -> Image.Image:
    """Turns any picture into upright 8-bit RGB.

    EXIF rotation is applied; grey is repeated; 16-bit grey is scaled to 8 bits (Pillow alone would cut it off);
    CMYK and palettes are converted; alpha is dropped, as training pipelines do.

    Raises:
        ValueError: floating-point pixels, which have no agreed range, or no pixels.
    """
    if 0 in image.size:
        raise ValueError("it has no pixels")
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("I;16", "I;16B", "I;16L", "I"):
        pixels = np.asarray(upright).astype(np.int64)
        return Image.fromarray((pixels.clip(0, 65535) // 257).astype(np.uint8)).convert("RGB")
    if upright.mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    return upright.convert("RGB")


def preprocess(image: Image.Image, contract: Preprocessing) -> np.ndarray:
    """Resizes, crops and normalizes an RGB image as timm's evaluation transform does.

    Returns:
        float32 [3, height, width].
    """
    # in float64 and rounded once: integer inputs are quantized from this, and many of their values lie half-way
    normalized = (resize_and_crop(image, contract) / 255.0 - np.asarray(contract.mean)) / np.asarray(contract.std)
    return np.ascontiguousarray(normalized.transpose(2, 0, 1), dtype=np.float32)


def resize_and_crop(image: Image.Image, contract: Preprocessing) -> np.ndarray:
    """Resizes and crops an RGB image to the input size, without normalizing it.

    Returns:
        uint8 [height, width, 3].
    """
    height, width = contract.input_size
    resampling = _RESAMPLING[contract.interpolation]
    if contract.crop_mode == "squash":
        rows, columns = _covering_size(contract)
        return np.asarray(_center_crop(image.resize((columns, rows), resampling), height, width))
    return np.asarray(_center_crop(_resize_to_cover(image, contract, resampling), height, width))


def _resize_to_cover(image: Image.Image, contract: Preprocessing, resampling: Image.Resampling) -> Image.Image:
    """Keeps the aspect ratio; the image then covers ``input_size / crop_pct`` with one side equal to it."""
    target = _covering_size(contract)
    height, width = image.height, image.width
    if target[0] != target[1]:  # here timm rounds, where it cuts off for a square
        ratio = min(height / target[0], width / target[1])
        new = (round(width / ratio), round(height / ratio))
    elif target[0] / height >= target[1] / width:
        new = (int(width * target[0] / height), target[0])
    else:
        new = (target[1], int(height * target[1] / width))
    return image if new == image.size else image.resize(new, resampling)


def _covering_size(contract: Preprocessing) -> tuple[int, int]:
    """Height and width before the crop."""
    height, width = (math.floor(length / contract.crop_pct) for length in contract.input_size)
    return height, width


def _center_crop(image: Image.Image, height: int, width: int) -> Image.Image:
    top, left = round((image.height - height) / 2), round((image.width - width) / 2)
    return image.crop((left, top, left + width, top + height))
