"""Ranges of activations: known answers, and what an outlier does to each method."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.quantization.activation_ranges import (
    Histogram,
    least_squares,
    mean_min_max,
    min_max,
    percentile,
    tensor_ranges,
)
from edgevit.spec.recipe import RangeMethod


def filled(*images: np.ndarray) -> Histogram:
    histogram = Histogram()
    for image in images:
        histogram.add(image, binned=True)
    return histogram


def relative_error(values: np.ndarray, bounds: tuple[float, float]) -> float:
    """Of the values after 8-bit quantization with one range."""
    low, high = bounds
    step = (high - low) / 255
    rounded = np.rint(values.clip(low, high) / step) * step
    return float(np.square(rounded - values).sum() / np.square(values).sum())


def test_known_answers() -> None:
    images = [np.array([-1.0, 3.0]), np.array([0.5, 1.0])]
    assert min_max(filled(*images)) == (-1.0, 3.0)
    assert mean_min_max(filled(*images)) == (-0.5, 2.0)  # zero belongs to every range


def test_a_histogram_counts_every_value_however_far_it_widens() -> None:
    values = [np.array([0.001, -0.002]), np.array([5.0]), np.array([-700.0, 300.0, 299.9])]
    histogram = filled(*values)
    assert histogram.counts.sum() == 6
    assert histogram.limit >= 700
    width = 2 * histogram.limit / len(histogram.counts)
    for value in np.concatenate(values):
        near = np.abs(histogram.centers - value) <= width
        assert histogram.counts[near].sum() > 0, value


def test_percentiles_leave_out_half_of_the_rest_at_each_end() -> None:
    values = np.linspace(-1, 1, 200_001)
    low, high = percentile(filled(values), 90)
    np.testing.assert_allclose((low, high), (-0.9, 0.9), atol=2e-3)
    assert percentile(filled(values), 100) == (-1.0, 1.0)


@pytest.mark.parametrize("method", ["min_max", "mean_min_max", "mse", "percentile_99.999"])
def test_an_all_zero_tensor_has_an_empty_range(method: RangeMethod) -> None:
    assert tensor_ranges([{"x": np.zeros(4, np.float32)}], method) == {"x": (0.0, 0.0)}


@pytest.mark.parametrize("method", ["min_max", "mean_min_max", "mse", "percentile_99.999"])
def test_the_range_of_what_is_never_negative_begins_at_zero(method: RangeMethod) -> None:
    image = np.random.default_rng(0).exponential(size=10_000).astype(np.float32)
    low, high = tensor_ranges([{"x": image}], method)["x"]
    assert low == 0.0
    assert 0 < high <= image.max()


def test_a_planted_outlier_channel_breaks_percentile_99_9_and_not_the_chosen_methods() -> None:
    """One channel of 2,000 carries the signal, as in a ViT's MLP; clipping it loses what the next layer reads."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((197, 2000))
    values[:, 7] = 60 + generator.standard_normal(197)
    histogram = filled(values)
    assert relative_error(values, percentile(histogram, 99.9)) > 0.5
    for bounds in (min_max(histogram), least_squares(histogram), percentile(histogram, 99.999)):
        assert relative_error(values, bounds) < 0.01


def test_least_squares_is_the_best_of_all_ranges_on_a_grid() -> None:
    values = np.random.default_rng(0).laplace(size=200_000)
    best = relative_error(values, least_squares(filled(values), levels=255))
    low, high = values.min(), values.max()
    others = [relative_error(values, (low * a, high * b)) for a in (0.2, 0.4, 0.7, 1) for b in (0.2, 0.4, 0.7, 1)]
    assert best <= 1.05 * min(others)
    assert best < 0.8 * relative_error(values, (low, high))


def test_logits_are_never_clipped() -> None:
    images = [{"x": np.array([1.0]), "logits": np.array([1.0])}, {"x": np.array([3.0]), "logits": np.array([3.0])}]
    found = tensor_ranges(images, "mean_min_max", frozenset({"logits"}))
    assert found == {"x": (0.0, 2.0), "logits": (0.0, 3.0)}
