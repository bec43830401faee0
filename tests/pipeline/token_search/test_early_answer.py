"""When the images seen so far tell whether a plan loses too much."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.pipeline.token_search.early_answer import Seen, margins
from edgevit.results.measurement import Interval
from edgevit.results.proportions import PairedCounts, paired_difference_interval


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def dense_margins(generator: np.random.Generator, images: int) -> np.ndarray:
    """As of a model that is right four times in five, the smallest first."""
    sizes = np.sort(generator.exponential(4.0, images))
    return sizes * np.where(generator.random(images) < 0.8, 1.0, -1.0)


def enough(dense: np.ndarray, reduced: np.ndarray, limit_points: float) -> int:
    """Images after which no more are asked for."""
    return next(
        seen
        for seen in range(8, len(dense) + 8, 8)
        if Seen(dense, reduced[: min(seen, len(dense))]).is_enough(limit_points)
    )


def test_margins_are_negative_where_another_class_is_ahead() -> None:
    logits = np.array([[3.0, 1.0, 2.5], [3.0, 1.0, 2.5]], np.float32)
    assert margins(logits, np.array([0, 2])).tolist() == [0.5, -0.5]
    assert logits[0, 0] == 3.0  # they stay as they are


def test_lost_images_are_those_that_became_wrong_less_those_that_became_right() -> None:
    seen = Seen(np.array([0.1, -0.2, 0.3, 0.4, 5.0]), np.array([-0.1, 0.2, -0.3, 0.4]))
    assert seen.lost_images == 1
    assert seen.drop_points == pytest.approx(20.0)


def test_the_interval_of_the_drop_is_that_of_the_changes() -> None:
    dense = np.array([0.1, -0.2, 0.3, 0.4, *[5.0] * 16])
    same, one = Seen(dense, dense[:4]), Seen(dense, np.array([-0.1, -0.2, 0.3, 0.4]))
    assert one.drop_interval.low < one.drop_points < one.drop_interval.high
    found = paired_difference_interval(PairedCounts(18, 1, 0, 1))
    assert one.drop_interval == Interval(100 * found.low, 100 * found.high)
    assert same.drop_interval.low == pytest.approx(-same.drop_interval.high)


def test_changes_are_expected_where_images_seen_moved_further_than_a_margin() -> None:
    seen = Seen(np.array([1.0, -1.0, 2.0, 20.0]), np.array([-1.0, -2.0]))  # moved by 2 against it, and by 1 along it
    assert seen.expected_changes == pytest.approx(0.5)  # one of two would change the third, none the last


def test_few_images_are_never_enough_and_all_always_are(generator: np.random.Generator) -> None:
    dense = dense_margins(generator, 200)
    assert not Seen(dense, -dense[:90]).is_enough(0.0)
    assert Seen(dense, dense).is_enough(0.0)


@pytest.mark.parametrize("move", [0.05, 0.3, 0.6])
def test_what_is_not_seen_changes_little(move: float, generator: np.random.Generator) -> None:
    dense = dense_margins(generator, 1000)
    reduced = dense + generator.normal(0.0, move, 1000)
    seen = enough(dense, reduced, limit_points=100.0)
    assert seen < 600
    assert Seen(dense, reduced[:seen]).drop_points == pytest.approx(Seen(dense, reduced).drop_points, abs=0.2)


def test_a_plan_that_loses_far_too_much_is_given_up_early(generator: np.random.Generator) -> None:
    dense = dense_margins(generator, 1000)
    reduced = dense - np.abs(generator.normal(0.0, 1.0, 1000)) * np.sign(dense) * (dense > 0)
    assert Seen(dense, reduced).drop_points > 5.0
    assert enough(dense, reduced, limit_points=0.5) <= 200 < enough(dense, reduced, limit_points=100.0)


def test_plans_within_the_limit_are_hardly_ever_given_up(generator: np.random.Generator) -> None:
    wrong = 0
    for _ in range(100):
        dense = dense_margins(generator, 400)
        reduced = dense + generator.normal(0.0, 0.7, 400)
        limit = Seen(dense, reduced).drop_points  # just held
        seen = enough(dense, reduced, limit)
        wrong += Seen(dense, reduced[:seen]).drop_points > limit + 0.26  # by more than one image
    assert wrong <= 5
