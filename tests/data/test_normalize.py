"""Normalization by table, and of arrays."""

from __future__ import annotations

import numpy as np

from edgevit.data.normalize import normalize, normalized_levels, normalizer
from edgevit.results.artifact import Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_the_table_gives_what_computing_each_pixel_gives() -> None:
    """float64 arithmetic rounded once, bit for bit, for every level of every channel."""
    contract = Preprocessing((16, 16), MEAN, STD, "bicubic", 1.0)
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    computed = (pixels / 255.0 - np.asarray(MEAN)) / np.asarray(STD)
    actual = normalize(pixels, normalized_levels(contract))
    assert actual.flags.c_contiguous
    np.testing.assert_array_equal(actual, computed.transpose(2, 0, 1).astype(np.float32))


def test_arrays_are_normalized_by_channel_and_not_divided_by_255() -> None:
    contract = Preprocessing((2, 1), (1.0, 10.0), (2.0, 5.0), input="array")
    values = np.array([[[1.0, 10.0]], [[3.0, 20.0]]], np.float32)
    found = normalizer(contract)(values)
    assert (found.dtype, found.flags.c_contiguous) == (np.float32, True)
    assert found.tolist() == [[[0.0], [1.0]], [[0.0], [2.0]]]
