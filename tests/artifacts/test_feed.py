"""Feeding images to artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from edgevit.artifacts.feed import check_classifier, run_once, to_input
from edgevit.errors import UsageError
from edgevit.results.artifact import TensorSpec

IMAGE = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2) - 6


def test_layouts() -> None:
    nchw = to_input(TensorSpec("x", (1, 3, 2, 2), "float32", "NCHW"), IMAGE)
    nhwc = to_input(TensorSpec("x", (1, 2, 2, 3), "float32", "NHWC"), IMAGE)
    assert nchw is IMAGE
    assert nhwc.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(nhwc[0, 1, 0], IMAGE[0, :, 1, 0])
    assert to_input(TensorSpec("x", (1, 3, 2, 2), "float16", "NCHW"), IMAGE).dtype == np.float16


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "values", "expected"),
    [
        ("uint8", 0.5, 128, [0, 0.25, 0.75, -64, 63.5, 1000], [128, 128, 130, 0, 255, 255]),
        ("int8", 0.5, -1, [0, 0.25, 0.75, -64, 64, -1000], [-1, 0, 0, -128, 127, -128]),
        ("int16", 0.001, 0, [0.0014, 0.0016, -40, 40, 0, 0], [1, 2, -32768, 32767, 0, 0]),
    ],
)
def test_quantized_inputs_round_half_to_even_and_saturate(
    dtype: str, scale: float, zero_point: int, values: list[float], expected: list[int]
) -> None:
    spec = TensorSpec("x", (1, 3, 1, 2), dtype, "NCHW", scale, zero_point)
    given = to_input(spec, np.array(values, np.float32).reshape(1, 3, 1, 2))
    assert given.dtype == dtype
    assert given.flatten().tolist() == expected


def test_another_size_and_missing_scales_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the input is \[1, 3, 4, 4\], the preprocessed image \[1, 3, 2, 2\]"):
        to_input(TensorSpec("x", (1, 3, 4, 4), "float32", "NCHW"), IMAGE)
    with pytest.raises(UsageError, match="states no scale"):
        to_input(TensorSpec("x", (1, 3, 2, 2), "uint8", "NCHW"), IMAGE)
    with pytest.raises(UsageError, match="the input is bool, which is no image"):
        to_input(TensorSpec("x", (1, 3, 2, 2), "bool", "NCHW"), IMAGE)


def test_an_integer_input_without_a_scale_takes_pixels() -> None:
    spec = TensorSpec("x", (1, 2, 2, 3), "uint8", "NHWC")
    pixels = np.arange(244, 256, dtype=np.uint8).reshape(1, 2, 2, 3)
    assert to_input(spec, pixels) is pixels
    floats = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    for near in (floats, floats * 0.999999):
        fed = to_input(spec, near)
        assert fed.dtype == np.uint8
        np.testing.assert_array_equal(fed, pixels)
    scaled = TensorSpec("x", (1, 2, 2, 3), "uint8", "NHWC", 1.0, 0)
    np.testing.assert_array_equal(to_input(scaled, floats), pixels)
    np.testing.assert_array_equal(to_input(TensorSpec("x", (1, 3, 2, 2), "float32", "NCHW"), pixels), floats)
    for wrong in (floats / 255, floats - 250, floats + 1):
        with pytest.raises(UsageError, match="it takes integers, not normalized values") as caught:
            to_input(spec, wrong)
        assert caught.value.hint and "--mean 0 --std 0.00392157" in caught.value.hint


@dataclass
class FakeSession:
    """Answers with fixed values and remembers what it was fed."""

    inputs: tuple[TensorSpec, ...] = (TensorSpec("x", (1, 3, 2, 2), "float32", "NCHW"),)
    outputs: tuple[TensorSpec, ...] = (TensorSpec("y", (1, 3), "float32", "NC"),)
    answer: np.ndarray = field(default_factory=lambda: np.array([[1, 2, 3]], np.float32))
    fed: list[np.ndarray] = field(default_factory=list)
    runtime_version: str = "1"
    precision: str = "f32"
    delegate: str = "none"

    def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        self.fed.extend(feeds)
        return (self.answer,)


def test_quantized_logits_become_real_values() -> None:
    out = TensorSpec("y", (1, 3), "uint8", "NC", 0.25, 100)
    session = FakeSession(outputs=(out,), answer=np.array([[0, 100, 255]], np.uint8))
    logits = run_once(session, IMAGE)
    assert logits.dtype == np.float32
    assert logits.tolist() == [[-25.0, 0.0, 38.75]]


def test_logits_of_more_axes_are_one_row() -> None:
    out = TensorSpec("y", (1, 1, 1, 3), "float32", "")
    session = FakeSession(outputs=(out,), answer=np.ones((1, 1, 1, 3), np.float32))
    assert run_once(session, IMAGE).shape == (1, 3)
    np.testing.assert_array_equal(session.fed[0], IMAGE)


def test_several_outputs_are_one_row_each_with_its_own_scale() -> None:
    class Both(FakeSession):
        def run(self, feeds: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
            return np.array([[[[1], [2]]]], np.float32), np.array([[3, 5]], np.int8)

    outputs = (TensorSpec("map", (1, 1, 2, 1), "float32", ""), TensorSpec("row", (1, 2), "int8", "NC", 0.5, 1))
    assert run_once(Both(outputs=outputs), IMAGE).tolist() == [[1, 2, 1, 2]]


image_input = FakeSession().inputs[0]
logits_output = FakeSession().outputs[0]


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ((image_input, image_input), (logits_output,), "2 inputs and 1 outputs"),
        ((image_input,), (logits_output, logits_output), "1 inputs and 2 outputs"),
        ((TensorSpec("x", (1, 10), "int64", "NC"),), (logits_output,), r"its input is int64 \[1, 10\]"),
        ((TensorSpec("x", (4, 3, 2, 2), "float32", "NCHW"),), (logits_output,), "not a model of single images"),
        ((image_input,), (TensorSpec("y", (1, 20, 20, 21), "float32", ""),), "is not one row of logits"),
        ((image_input,), (TensorSpec("y", (), "float32", ""),), "is not one row of logits"),
    ],
)
def test_what_is_no_classifier_is_refused(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        check_classifier(FakeSession(inputs, outputs))
