"""Normalizes what was resized and cropped, with numpy alone, bit for bit the same on a host and a board."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from edgevit.results.artifact import Preprocessing


def normalizer(contract: Preprocessing) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function that normalizes what :func:`resize_and_crop` returns.

    Returns:
        From uint8 or float32 [height, width, channels] to float32 [channels, height, width], contiguous.
    """
    if contract.input == "array":
        return functools.partial(_normalize_values, contract=contract)
    return functools.partial(normalize, levels=normalized_levels(contract))


def _normalize_values(values: np.ndarray, contract: Preprocessing) -> np.ndarray:
    normalized = (values.astype(np.float64) - np.asarray(contract.mean)) / np.asarray(contract.std)
    return np.ascontiguousarray(normalized.transpose(2, 0, 1), dtype=np.float32)


def normalized_levels(contract: Preprocessing) -> np.ndarray:
    """Returns what each of the 256 levels of a pixel becomes in each channel, float32 [channels, 256]."""
    # in float64 and rounded once: int8 inputs are quantized from this, and many values lie half-way between two steps
    levels = (np.arange(256)[:, None] / 255.0 - np.asarray(contract.mean)) / np.asarray(contract.std)
    return np.ascontiguousarray(levels.T, dtype=np.float32)


def normalize(pixels: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Normalizes an image by table, which is exact and several times faster than computing each pixel.

    Args:
        pixels: uint8 [height, width, channels].
        levels: See :func:`normalized_levels`.

    Returns:
        float32 [channels, height, width], contiguous.
    """
    return np.stack([np.take(of_channel, pixels[..., channel]) for channel, of_channel in enumerate(levels)])
