"""Shapes of single images."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.backends.layout import fixed_shape, guess_layout
from edgevit.errors import UsageError


def test_an_open_batch_axis_becomes_one() -> None:
    assert fixed_shape([None, 3, 8, 8], "x", Path("m.onnx")) == (1, 3, 8, 8)
    assert fixed_shape([1, 10], "y", Path("m.onnx")) == (1, 10)
    assert fixed_shape([None, 10], "y", Path("m.onnx"), 8) == (8, 10)
    assert fixed_shape([1, 10], "y", Path("m.onnx"), 8) == (1, 10)


def test_an_open_image_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"m\.onnx: x has open axes: \[\?, 3, \?, 8\]"):
        fixed_shape([None, 3, None, 8], "x", Path("m.onnx"))


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((1, 3, 8, 8), "NCHW"),
        ((1, 8, 8, 3), "NHWC"),
        ((1, 10), "NC"),
        ((1, 4, 8, 8), "NCHW"),
        ((1, 8, 8, 4), "NHWC"),
        ((1, 64, 8, 8), "NCHW"),
        ((1, 8, 8, 64), "NHWC"),
        ((1, 4, 6, 8), "NCHW"),
        ((1, 6, 8, 4), "NHWC"),
        ((1, 8, 4, 8), ""),
        ((3,), ""),
    ],
)
def test_layouts(shape: tuple[int, ...], layout: str) -> None:
    assert guess_layout(shape) == layout
