"""How likely plans are to hold, by what others lost."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.pipeline.token_search.drop_model import DropModel, Lost

DIVERGENCES = np.array([0.0, 0.02, 0.05, 0.1, 0.2])
SHAPES = ("new",) * 5


def chances(model: DropModel, limit_points: float = 1.0, shapes: tuple[str, ...] = SHAPES) -> np.ndarray:
    return model.chance_to_hold(DIVERGENCES, shapes, limit_points)


def line(divergence: float) -> float:
    """A model that loses 20 points a nat."""
    return 20 * divergence


def test_chances_fall_with_divergence_and_rise_with_the_limit() -> None:
    before = DropModel((), 1000)
    assert all(np.diff(chances(before)) < 0)
    assert all(chances(before, 2.0) > chances(before, 1.0))
    assert all((chances(before) > 0) & (chances(before) < 1))


def test_what_was_lost_teaches_where_the_limit_is_reached() -> None:
    lost = tuple(
        Lost(divergence, place, line(divergence)) for place, divergence in enumerate((0.01, 0.03, 0.06, 0.1, 0.15))
    )
    found = chances(DropModel(lost, 1000))
    assert found[1] > 0.8
    assert found[2] == pytest.approx(0.5, abs=0.15)  # it loses just the limit
    assert found[4] < 0.01


def test_more_images_leave_less_to_chance() -> None:
    lost = tuple(Lost(divergence, place, line(divergence)) for place, divergence in enumerate((0.01, 0.03, 0.06)))
    few, many = (chances(DropModel(lost, samples)) for samples in (100, 10000))
    assert few[1] < many[1] and few[3] > many[3]


def test_plans_in_the_same_blocks_share_what_chance_did() -> None:
    lost = (Lost(0.05, "lucky", 0.0), Lost(0.05, "unlucky", 2.0))
    lucky, new, unlucky = chances(DropModel(lost, 1000), 1.0, ("lucky", "new", "unlucky", "new", "new"))[:3]
    same = DropModel(lost, 1000).chance_to_hold(np.full(3, 0.05), ("lucky", "new", "unlucky"), 1.0)
    assert same[0] > same[1] > same[2]
    assert lucky > new > unlucky


def test_chances_stay_between_0_and_1_far_from_the_limit() -> None:
    found = DropModel((Lost(5.0, "x", 90.0),), 1000).chance_to_hold(np.array([0.0, 50.0]), ("x", "y"), 0.5)
    assert found.min() >= 0 and found.max() <= 1
    assert np.isfinite(found).all()
