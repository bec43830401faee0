"""Fronts and hypervolumes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgevit.search.front import front_places, gains, hypervolume

POINTS = st.integers(1, 3).flatmap(
    lambda width: st.integers(0, 7).flatmap(
        lambda count: arrays(float, (count, width), elements=st.integers(0, 8).map(lambda each: each / 8))
    )
)


def _by_counting(values: np.ndarray) -> float:
    """Volume up to (1, …), of points on a grid of eighths: the share of cells that a point dominates."""
    width = values.shape[1]
    cells = np.stack(np.meshgrid(*[np.arange(8) / 8] * width), axis=-1).reshape(-1, width)
    return float(np.mean([(values <= cell).all(axis=1).any() for cell in cells]))


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_the_hypervolume_is_what_counting_cells_gives(values: np.ndarray) -> None:
    assert hypervolume(values, np.ones(values.shape[1])) == pytest.approx(_by_counting(values))


@settings(max_examples=60, deadline=None)
@given(POINTS, st.data())
def test_a_gain_is_how_much_the_hypervolume_grows(values: np.ndarray, data: st.DataObject) -> None:
    width = values.shape[1]
    more = data.draw(arrays(float, (3, width), elements=st.floats(0, 1.2)))
    reference = np.ones(width)
    before = hypervolume(values, reference)
    grown = [hypervolume(np.vstack([values, one[None]]), reference) - before for one in more]
    assert gains(more, values, reference) == pytest.approx(grown, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_the_front_alone_has_the_hypervolume_of_all(values: np.ndarray) -> None:
    places = list(front_places(values))
    reference = np.ones(values.shape[1])
    assert hypervolume(values[places], reference) == pytest.approx(hypervolume(values, reference))
    assert list(values[places][:, 0]) == sorted(values[places][:, 0])


def test_of_equal_points_the_first_counts() -> None:
    assert front_places(np.array([[2.0, 1.0], [1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])) == (1, 0)
