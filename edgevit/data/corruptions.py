"""Images corrupted on purpose, to see what a file loses on pictures that are worse than those it was judged on.

Noise, blur, JPEG, brightness and contrast are kinds of Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to
Common Corruptions and Perturbations", ICLR 2019, with the strengths of the first, third and fifth of their five severities;
shift is the translation of the same paper's perturbations, edge pixels repeated; occlusion is a grey square as in DeVries and
Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", arXiv:1708.04552, 2017.

Strengths in pixels are for images whose shorter side is 224 pixels, and scale with it; noise of a larger image is drawn for such a
grid, or resizing to the input of a model would average it away. What is random depends on the seed, the kind and the id of
the image alone: not on its place among the images, nor on the severity.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
from PIL import Image, ImageFilter

from edgevit.errors import UsageError, unknown_name

LEVELS = (1, 2, 3)
"""Severities, the weakest first."""
NONE = "none"
"""In place of corruptions: the images as they are."""
_SIDE = 224
"""Shorter side in pixels that strengths are for."""
_GREY = 127


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption."""

    strengths: tuple[float, float, float]
    """Of each severity."""
    words: str
    """Format of a strength, for people."""
    apply: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
    """From uint8 [h, w] or [h, w, 3], a strength and random numbers, to the same shape."""

    def parameter(self, level: int) -> str:
        """Returns the strength of a severity, 1 to 3, in words."""
        return self.words.format(self.strengths[level - 1])


def parse_corruptions(text: str) -> tuple[str, ...]:
    """Reads names of corruptions with commas between, in this order; none for "none".

    Raises:
        UsageError: one is unknown, or given twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    if names == (NONE,):
        return ()
    for name in names:
        if name not in CORRUPTIONS:
            raise unknown_name("corruption", name, [*CORRUPTIONS, NONE] if len(names) == 1 else CORRUPTIONS)
        if names.count(name) > 1:
            raise UsageError(f"the corruption {name} is given twice", "give each once")
    return names


def corrupt(image: Image.Image, name: str, level: int, seed: int, image_id: str) -> Image.Image:
    """Returns an image corrupted, in its size and mode.

    Args:
        image: 8-bit RGB or grey.
        name: One of ``CORRUPTIONS``.
        level: Severity, 1 to 3.
        seed: Of what is random.
        image_id: Of the image in its source.

    Raises:
        ValueError: the image is of another mode.
    """
    if image.mode not in ("RGB", "L"):
        raise ValueError(f"{image.mode} is neither RGB nor grey")
    corruption = CORRUPTIONS[name]
    digest = hashlib.sha256(f"{seed}\n{name}\n{image_id}".encode("utf-8", "surrogatepass")).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    return Image.fromarray(corruption.apply(np.asarray(image), corruption.strengths[level - 1], generator))


def _noise(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = min(1.0, _SIDE / min(height, width))
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    drawn = generator.standard_normal((rows, columns, *pixels.shape[2:]), np.float32)
    enlarged = drawn[np.arange(height) * rows // height][:, np.arange(width) * columns // width]
    return _to_levels(pixels + np.float32(255 * strength) * enlarged)


def _blur(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    sigma = strength * min(pixels.shape[:2]) / _SIDE
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def _jpeg(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=int(strength))
    return np.asarray(Image.open(stream))


def _brightness(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Adds to the value of each pixel in HSV; hue and saturation stay, black becomes grey."""
    values = pixels.astype(np.float32) if pixels.ndim == 3 else pixels[..., None].astype(np.float32)
    value = values.max(axis=2, keepdims=True)
    brighter = np.minimum(value + np.float32(255 * strength), np.float32(255))
    scaled = np.where(value > 0, values * brighter / np.maximum(value, 1), brighter)
    return _to_levels(scaled.reshape(pixels.shape))


def _contrast(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Draws each channel to its mean."""
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return _to_levels(mean + strength * (pixels - mean))


def _shift(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Moves the image by a share of both sides, at least one pixel, each to a side that is drawn."""
    moved = pixels
    for axis in (0, 1):
        length = pixels.shape[axis]
        by = max(1, round(strength * length)) * int(generator.choice((-1, 1)))
        moved = np.take(moved, (np.arange(length) - by).clip(0, length - 1), axis=axis)
    return moved


def _occlusion(pixels: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Covers a share of the image by a rectangle of its own aspect ratio, wholly inside, at a place that is drawn."""
    covered = pixels.copy()
    places = generator.random(2)
    cut = []
    for place, length in zip(places, pixels.shape, strict=False):
        side = max(1, round(sqrt(strength) * length))
        first = int(place * (length - side + 1))
        cut.append(slice(first, first + side))
    covered[cut[0], cut[1]] = _GREY
    return covered


def _to_levels(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(values).clip(0, 255), np.uint8)


CORRUPTIONS: Mapping[str, Corruption] = {
    "noise": Corruption((0.08, 0.18, 0.38), "sigma {:g} of 0..1", _noise),
    "blur": Corruption((1.0, 3.0, 6.0), "sigma {:g} px of 224", _blur),
    "jpeg": Corruption((25, 15, 7), "quality {:g}", _jpeg),
    "brightness": Corruption((0.1, 0.3, 0.5), "value + {:g}", _brightness),
    "contrast": Corruption((0.4, 0.2, 0.05), "contrast × {:g}", _contrast),
    "shift": Corruption((0.04, 0.08, 0.16), "by {:.0%} of each side", _shift),
    "occlusion": Corruption((0.05, 0.15, 0.3), "{:.0%} of the image", _occlusion),
}
"""Every kind, by name."""
