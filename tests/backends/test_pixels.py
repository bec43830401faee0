"""Normalization in a graph is the one outside, as far as float32 goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.backends.pixels import free_name, no_float_image, offset_and_divisor
from edgevit.data.normalize import normalized_levels
from edgevit.results.artifact import Preprocessing

LEVELS = np.arange(256, dtype=np.float32)[None]


@pytest.mark.parametrize(
    ("mean", "std", "rounding"),
    [
        ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 0.0),
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.0),
        ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255), 0.0),
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 3e-7),
    ],
)
def test_it_is_bit_for_bit_the_table_where_255_times_the_mean_is_a_float(
    mean: tuple[float, float, float], std: tuple[float, float, float], rounding: float
) -> None:
    offset, divisor = offset_and_divisor(mean, std)
    assert (offset.dtype, divisor.dtype) == (np.float32, np.float32)
    computed = (LEVELS - offset[:, None]) / divisor[:, None]
    assert computed.dtype == np.float32
    table = normalized_levels(Preprocessing((1, 1), mean, std))
    assert np.abs(computed - table).max() <= rounding


def test_a_channel_is_enough() -> None:
    offset, divisor = offset_and_divisor((0.1307,), (0.3081,))
    assert (offset.shape, divisor.shape) == ((1,), (1,))
    assert float(offset[0]) == pytest.approx(33.3285)


def test_names_are_not_given_twice() -> None:
    assert free_name("x", {"y"}) == "x"
    assert free_name("x", {"x", "x_"}) == "x__"


def test_the_file_is_named() -> None:
    error = no_float_image(Path("m.onnx"))
    assert error.message.startswith("m.onnx does not take one float32 image")
    assert error.hint == "leave out --embed-preprocessing"
