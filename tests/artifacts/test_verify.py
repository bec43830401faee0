"""Comparing an artifact with what it came from."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.artifacts.verify import (
    FLOAT_TOLERANCE,
    compare,
    far_images,
    tolerance_of,
    verify_pixel_input,
    verify_signature,
)
from edgevit.data import row_file
from edgevit.errors import CheckFailed
from edgevit.results.artifact import Preprocessing, TensorSpec
from edgevit.results.output import Output, classifier_outputs

INPUT = TensorSpec("serving_default_input", (1, 3, 8, 6), "float32", "NCHW")
MADE_FOR = Preprocessing((8, 6), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
OUTPUT = TensorSpec("logits", (1, 5), "float32", "NC")


def test_a_signature_as_promised() -> None:
    verify_signature((INPUT,), (OUTPUT,), MADE_FOR, classifier_outputs(5), "float32")


@pytest.mark.parametrize(
    ("given", "out", "message"),
    [
        (replace(INPUT, name="x"), OUTPUT, "input is called 'x'"),
        (INPUT, replace(OUTPUT, name="output_0"), "logits is called 'output_0'"),
        (replace(INPUT, shape=(1, 8, 6, 3)), OUTPUT, r"input has shape \[1, 8, 6, 3\], not \[1, 3, 8, 6\]"),
        (INPUT, replace(OUTPUT, shape=(1, 4)), r"logits has shape \[1, 4\], not \[1, 5\]"),
        (replace(INPUT, dtype="int8"), OUTPUT, "input is int8, not float32"),
        (INPUT, replace(OUTPUT, dtype="float16"), "logits is float16, not float32"),
    ],
)
def test_another_signature_is_refused(given: TensorSpec, out: TensorSpec, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        verify_signature((given,), (out,), MADE_FOR, classifier_outputs(5), "float32")


def test_a_signature_of_several_outputs() -> None:
    outputs = (Output("map", (2, 4, 3)), Output("embedding", (5,)))
    declared = (
        replace(OUTPUT, name="serving_default_map_output", shape=(1, 2, 4, 3)),
        replace(OUTPUT, name="embedding"),
    )
    verify_signature((INPUT,), declared, MADE_FOR, outputs, "float32")
    with pytest.raises(CheckFailed, match="map is called 'embedding'"):
        verify_signature((INPUT,), declared[::-1], MADE_FOR, outputs, "float32")
    with pytest.raises(CheckFailed, match="1 inputs and 1 outputs, not 1 and 2"):
        verify_signature((INPUT,), declared[:1], MADE_FOR, outputs, "float32")


PIXELS = TensorSpec("input", (1, 8, 6, 3), "uint8", "NHWC")


def test_an_input_of_pixels_stands_for_the_one_before() -> None:
    for pixels in (PIXELS, replace(PIXELS, scale=1.0, zero_point=0)):
        verify_signature(
            (verify_pixel_input((pixels,), (8, 6)),), (OUTPUT,), MADE_FOR, classifier_outputs(5), "float32"
        )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (INPUT, r"takes float32 \[1, 3, 8, 6\], not pixels: uint8 \[1, 8, 6, 3\]"),
        (replace(PIXELS, shape=(1, 3, 8, 6)), r"takes uint8 \[1, 3, 8, 6\], not pixels"),
        (replace(PIXELS, scale=0.5, zero_point=3), "input scales its pixels by 0.5 from 3 on"),
    ],
)
def test_another_input_than_pixels_is_refused(given: TensorSpec, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        verify_pixel_input((given,), (8, 6))
    with pytest.raises(CheckFailed, match="not pixels"):
        verify_pixel_input((PIXELS, PIXELS), (8, 6))


def test_known_answer() -> None:
    reference = np.array([[1.0, 2.0], [-4.0, 0.0]], np.float32)
    logits = np.array([[1.5, 2.0], [-4.0, -5.0]], np.float32)
    found = compare(logits, reference, "pytorch", 1e-4)
    assert (found.max_abs_diff, found.max_rel_diff) == (5.0, 1.25)
    assert found.top1_agreement == 0.5
    assert found.snr_db == pytest.approx(10 * math.log10(21 / 25.25))
    assert (found.samples, found.passed, found.reference) == (2, False, "pytorch")


def test_the_same_has_no_noise() -> None:
    reference = np.eye(3, dtype=np.float32)
    found = compare(reference.copy(), reference, "pytorch", 0.0)
    assert (found.snr_db, found.max_abs_diff, found.top1_agreement, found.passed) == (None, 0.0, 1.0, True)


@pytest.mark.parametrize(("scale", "passed"), [(1 + 0.9e-4, True), (1 + 1.1e-4, False)])
def test_the_tolerance_is_relative_to_the_largest_logit(scale: float, passed: bool) -> None:
    reference = np.array([[100.0, 0.001]])
    assert compare(reference * scale, reference, "pytorch", FLOAT_TOLERANCE).passed is passed


def test_another_class_fails_however_close() -> None:
    reference = np.array([[1.0, 1.0 - 1e-6, -50.0]])
    found = compare(reference[:, [1, 0, 2]], reference, "pytorch", FLOAT_TOLERANCE)
    assert found.max_rel_diff < 1e-6
    assert not found.passed


def test_without_a_tolerance_accuracy_decides() -> None:
    assert compare(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]), "x", None).passed


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("tolerance", [None, 1e-4])
def test_what_is_no_number_fails(bad: float, tolerance: float | None) -> None:
    with pytest.raises(CheckFailed, match="NaN or infinity"):
        compare(np.array([[0.0, bad]]), np.zeros((1, 2)), "x", tolerance)


def test_a_reference_that_is_no_number_never_passes() -> None:
    assert not compare(np.zeros((1, 2)), np.array([[np.nan, 0.0]]), "x", 1e-4).passed


def test_shapes_have_to_be_the_same() -> None:
    with pytest.raises(CheckFailed, match=r"logits have shape \[2, 3\], those of pytorch \[2, 4\]"):
        compare(np.zeros((2, 3)), np.zeros((2, 4)), "pytorch", 1e-4)


def pair(far: int, samples: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A reference, and logits that differ much from it in the first ``far`` images."""
    reference = np.random.default_rng(0).standard_normal((samples, 4))
    logits = reference.copy()
    logits[:far] = -logits[:far]
    return logits, reference


def test_far_images_are_those_that_differ() -> None:
    logits, reference = pair(2)
    assert far_images(logits, reference, 1e-4) == (0, 1)
    logits[7] += 2e-4 * np.abs(reference).max()
    assert far_images(logits, reference, 1e-4) == (0, 1, 7)
    assert far_images(logits[:, :3], reference, 1e-4) == ()


def test_undecided_images_are_left_out_and_counted() -> None:
    logits, reference = pair(2)
    assert not compare(logits, reference, "x", 1e-4).passed
    found = compare(logits, reference, "x", 1e-4, (0, 1))
    assert (found.passed, found.undecided, found.samples) == (True, 2, 20)
    assert not compare(logits, reference, "x", 1e-4, (0, 5)).passed


def test_no_more_than_one_in_ten_may_be_left_out() -> None:
    logits, reference = pair(3)
    found = compare(logits, reference, "x", 1e-4, (0, 1, 2))
    assert (found.passed, found.undecided) == (False, 0)


@given(st.integers(1, 30), st.integers(0, 30), st.floats(0, 1))
def test_a_pass_always_means_within_the_tolerance(samples: int, far: int, noise: float) -> None:
    reference = np.random.default_rng(samples).standard_normal((samples, 4))
    logits = reference.copy()
    logits[:far] += noise
    found = compare(logits, reference, "x", 1e-4)
    assert found.passed == (found.max_rel_diff <= 1e-4 and found.top1_agreement == 1.0)
    assert 0 <= found.top1_agreement <= 1


def test_integers_need_a_scale() -> None:
    given = replace(INPUT, dtype="int8", scale=0.02, zero_point=-3)
    out = replace(OUTPUT, dtype="int8", scale=0.1, zero_point=0)
    verify_signature((given,), (out,), MADE_FOR, classifier_outputs(5), "int8")
    with pytest.raises(CheckFailed, match="logits is int8 without a scale"):
        verify_signature((given,), (replace(out, scale=None),), MADE_FOR, classifier_outputs(5), "int8")
    with pytest.raises(CheckFailed, match="input is int8, not uint8"):
        verify_signature((given,), (out,), MADE_FOR, classifier_outputs(5), "uint8")


def test_float_schemes_have_a_tolerance_and_integers_are_judged_by_accuracy() -> None:
    assert tolerance_of("fp32") == 1e-4
    assert tolerance_of("fp16") == 2e-2
    assert tolerance_of("bf16") is tolerance_of("static_wi8_ai8") is None


@pytest.mark.parametrize("undecided", [(), (3, 999)])
def test_many_images_are_compared_in_pieces(undecided: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as in one piece: the largest difference, the classes and the powers are of all of them."""
    generator = np.random.default_rng(0)
    reference = generator.standard_normal((1000, 4)).astype(np.float32)
    logits = reference + 0.1 * generator.standard_normal((1000, 4)).astype(np.float32)
    whole, far = compare(logits, reference, "x", None, undecided), far_images(logits, reference, 0.05)
    monkeypatch.setattr(row_file, "_CHUNK_VALUES", 4 * 7)
    assert len(list(row_file.row_slices(logits))) == 143
    pieces = compare(logits, reference, "x", None, undecided)
    assert replace(pieces, snr_db=None) == replace(whole, snr_db=None)
    assert pieces.snr_db == pytest.approx(whole.snr_db, rel=1e-12)
    assert far_images(logits, reference, 0.05) == far
    assert 0 < len(far) < 1000 and 0 < whole.top1_agreement < 1
    kept = np.setdiff1d(np.arange(1000), undecided)
    noise = logits[kept].astype(np.float64) - reference[kept]
    assert pieces.max_abs_diff == np.abs(noise).max()
    assert pieces.snr_db == pytest.approx(10 * math.log10(np.square(reference[kept]).sum() / np.square(noise).sum()))
