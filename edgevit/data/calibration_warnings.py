"""What is doubtful about a calibration set: a quantizer takes its ranges from whatever images it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgevit.data.images import ImageSet

MIN_IMAGES = 32
"""Below this many different images the range of an activation depends on which ones were drawn."""
MIN_NEIGHBOUR_CORRELATION = 0.25
"""Sets whose mean :func:`neighbour_correlation` is below this look like noise.

Measured: uniform and normal noise 0.00, as JPEG of any quality 0.08 at most, slightly reduced in size 0.16; photographs
0.88 to 0.94 (CIFAR-10, ImageNet, flowers), reduced to 32 x 32 pixels 0.83, to 8 x 8 pixels 0.62; scikit-learn's digits 0.97
as edgevit enlarges them, 0.54 in their 8 x 8 pixels. Noise that was enlarged is smooth, and is not found.
"""


@dataclass(frozen=True)
class _Look:
    """What one image is like."""

    pixels_sha256: str
    correlation: float | None
    """None when the image is of one colour."""


def calibration_warnings(
    images: ImageSet, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[str, ...]:
    """Decodes every image and says why ranges taken from them may not hold for real images.

    Args:
        images: A calibration set, at least one image.
        on_progress: Hears how many images are done, of how many.

    Returns:
        One line for people each; none for a set without fault.

    Raises:
        UsageError: an image cannot be read.
    """
    looks = []
    for done, image_id in enumerate(images.ids, start=1):
        looks.append(_look(np.asarray(images.image(image_id))))
        on_progress(done, len(images))
    return tuple(filter(None, (_few(looks), _one_class(images), _of_one_colour(looks), _noise(looks))))


def neighbour_correlation(pixels: np.ndarray) -> float | None:
    """Correlation of pixels that lie side by side or one above the other: Moran's I with those neighbours.

    P. A. P. Moran, "Notes on continuous stochastic phenomena", Biometrika 37, 1950. Channels are centred each by its own
    mean and then taken together.

    Args:
        pixels: [h, w, channels], any real type.

    Returns:
        About -1..1: near 1 for a smooth picture, near 0 for independent pixels; None when every channel is constant.
    """
    height, width, channels = pixels.shape
    squares = products = 0.0
    for channel in range(channels):  # one after the other, for the memory that a large photograph takes
        plane = pixels[..., channel].astype(np.float32)
        plane -= plane.mean(dtype=np.float64)
        squares += float(np.square(plane).sum(dtype=np.float64))
        products += float((plane[1:] * plane[:-1]).sum(dtype=np.float64))
        products += float((plane[:, 1:] * plane[:, :-1]).sum(dtype=np.float64))
    if not squares > 0:
        return None
    pairs = (height - 1) * width + height * (width - 1)
    return float(products / pairs * height * width / squares)


def _look(pixels: np.ndarray) -> _Look:
    digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    constant = bool((pixels == pixels[0, 0]).all())
    return _Look(digest, None if constant else neighbour_correlation(pixels))


def _few(looks: list[_Look]) -> str | None:
    different = len({look.pixels_sha256 for look in looks})
    if different == 1 and len(looks) > 1:
        return f"all {len(looks)} calibration images are identical: ranges are those of this one image"
    if different < MIN_IMAGES:
        number = f"{different}" if different == len(looks) else f"{different} different"
        return f"only {number} calibration image{'s'[: different > 1]}: give {MIN_IMAGES} or more, better 128"
    return None


def _one_class(images: ImageSet) -> str | None:
    if images.labels is None or len(set(images.labels)) > 1:
        return None
    number = f"all {len(images)} calibration images are" if len(images) > 1 else "the calibration image is"
    return f"{number} of one class ({images.labels[0]}): ranges may not hold for the others"


def _of_one_colour(looks: list[_Look]) -> str | None:
    constant = sum(look.correlation is None for look in looks)
    if not constant:
        return None
    return (
        f"{constant} of {len(looks)} calibration images are of one colour throughout: ranges do not see any structure"
    )


def _noise(looks: list[_Look]) -> str | None:
    known = [look.correlation for look in looks if look.correlation is not None]
    mean = float(np.mean(known)) if known else 1.0
    if mean >= MIN_NEIGHBOUR_CORRELATION:
        return None
    return (
        f"the calibration images look like random data: neighbouring pixels correlate by {mean:.2f}, in pictures by"
        f" {MIN_NEIGHBOUR_CORRELATION} or more; ranges will not be those of real images"
    )
