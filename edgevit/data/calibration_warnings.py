"""Warnings about a calibration set: a quantizer takes its ranges from whatever images it is given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgevit.data.images import ImageSet
from edgevit.data.in_order import map_in_order

MIN_IMAGES = 32
"""With fewer distinct images the range of an activation depends on which ones were drawn."""
MIN_ADJACENT_CORRELATION = 0.25
"""Sets whose mean :func:`adjacent_correlation` is below this look like noise.

Measured: uniform and normal noise 0.00, as JPEG of any quality at most 0.08, slightly reduced in size 0.16; photographs
0.88 to 0.94 (CIFAR-10, ImageNet, flowers), reduced to 32 x 32 pixels 0.83, to 8 x 8 pixels 0.62; scikit-learn's digits
0.97 as edgevit enlarges them, 0.54 at their 8 x 8 pixels. Enlarged noise is smooth and is not detected.
"""


@dataclass(frozen=True)
class _Statistics:
    """Of one image."""

    pixels_sha256: str
    correlation: float | None
    """None when the image is one colour."""


def calibration_warnings(
    images: ImageSet, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[str, ...]:
    """Decodes every image and says why ranges taken from them may not hold for real images.

    Args:
        images: A calibration set of at least one image.
        on_progress: Progress callback: images done, and in all.

    Returns:
        One line per warning; empty for a set without any.

    Raises:
        UsageError: an image cannot be read.
    """
    found = []
    for one in map_in_order(lambda image_id: _statistics(images.values(image_id)), images.ids):
        found.append(one)
        on_progress(len(found), len(images))
    noise = None if images.form and images.form.is_float else _noise(found)  # floats need not be pictures
    return tuple(filter(None, (_few(found), _one_class(images), _of_one_colour(found), noise)))


def adjacent_correlation(pixels: np.ndarray) -> float | None:
    """Returns the correlation of horizontally and vertically adjacent pixels: Moran's I.

    P. A. P. Moran, "Notes on continuous stochastic phenomena", Biometrika 37, 1950. Each channel is centred by its own
    mean; then all are pooled.

    Args:
        pixels: [h, w, channels], any real type.

    Returns:
        About -1..1: near 1 for a smooth image, near 0 for independent pixels; None when every channel is constant.
    """
    height, width, channels = pixels.shape
    squares = products = 0.0
    for channel in range(channels):  # one at a time, to save memory on a large photograph
        plane = pixels[..., channel].astype(np.float32)
        plane -= plane.mean(dtype=np.float64)
        squares += float(np.square(plane).sum(dtype=np.float64))
        products += float((plane[1:] * plane[:-1]).sum(dtype=np.float64))
        products += float((plane[:, 1:] * plane[:, :-1]).sum(dtype=np.float64))
    if not squares > 0:
        return None
    pairs = (height - 1) * width + height * (width - 1)
    return float(products / pairs * height * width / squares)


def _statistics(pixels: np.ndarray) -> _Statistics:
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    constant = bool((pixels == pixels[0, 0]).all())
    return _Statistics(digest, None if constant else adjacent_correlation(pixels))


def _few(found: list[_Statistics]) -> str | None:
    different = len({one.pixels_sha256 for one in found})
    if different == 1 and len(found) > 1:
        return f"all {len(found)} calibration images are identical: ranges are those of this one image"
    if different < MIN_IMAGES:
        number = f"{different}" if different == len(found) else f"{different} different"
        return f"only {number} calibration image{'s'[: different > 1]}: give {MIN_IMAGES} or more, better 128"
    return None


def _one_class(images: ImageSet) -> str | None:
    if images.labels is None or len(set(images.labels)) > 1:
        return None
    number = f"all {len(images)} calibration images are" if len(images) > 1 else "the calibration image is"
    return f"{number} of one class ({images.labels[0]}): ranges may not hold for the others"


def _of_one_colour(found: list[_Statistics]) -> str | None:
    constant = sum(one.correlation is None for one in found)
    if not constant:
        return None
    return (
        f"{constant} of {len(found)} calibration images are of one colour throughout: ranges do not see any structure"
    )


def _noise(found: list[_Statistics]) -> str | None:
    known = [one.correlation for one in found if one.correlation is not None]
    mean = float(np.mean(known)) if known else 1.0
    if mean >= MIN_ADJACENT_CORRELATION:
        return None
    return (
        f"the calibration images look like random data: adjacent pixels correlate by {mean:.2f}, in pictures by"
        f" {MIN_ADJACENT_CORRELATION} or more; ranges will not be those of real images"
    )
