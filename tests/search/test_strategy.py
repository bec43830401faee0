"""Points that are chosen by prediction, and those that are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest

from edgevit.results.search import PointSettings
from edgevit.search.front import hypervolume
from edgevit.search.loop import Loop
from edgevit.search.network import Evaluation
from edgevit.search.search_budget import Budget
from edgevit.search.strategy import ByPrediction
from tests.search.synthetic import SyntheticNetwork, axes


def _all(network: SyntheticNetwork) -> np.ndarray:
    return np.array([axes().measured("net", network.amounts(point)) for point in network.points])


def _search(network: SyntheticNetwork, trials: int) -> tuple[Loop, ByPrediction]:
    strategy = ByPrediction([network], axes(), 0)
    loop = Loop([network], strategy, Budget(None, trials))
    loop.run(1)
    return loop, strategy


def test_the_dense_models_come_first() -> None:
    """All else is predicted from them."""
    proposed = ByPrediction([SyntheticNetwork()], axes(), 0).propose({}, 4, 1e9)
    assert [point.id for point in proposed] == ["onnxruntime/fp32", "openvino/fp32", "litert/fp32"]


def test_a_fifth_of_the_points_gives_the_front() -> None:
    """A few candidates that were chosen well are worth nearly all of them."""
    network = SyntheticNetwork()
    loop, strategy = _search(network, len(network.points) // 5)
    reference = axes().reference
    share = hypervolume(strategy.front(loop.made), reference) / hypervolume(_all(network), reference)
    assert share >= 0.95


def test_what_is_dominated_by_prediction_would_not_have_been_on_the_front() -> None:
    network = SyntheticNetwork()
    loop, strategy = _search(network, 18)
    left_out = [point for point, each in strategy.outlook(loop.made).items() if each.dominated]
    assert left_out
    front = strategy.front(loop.made)
    beaten = [(front <= axes().measured("net", network.amounts(point))).all(axis=1).any() for point in left_out]
    assert np.mean(beaten) >= 0.8


def test_everything_is_made_where_nothing_adds_up() -> None:
    network = SyntheticNetwork(adds_up=False)
    loop, strategy = _search(network, 1000)
    assert set(loop.made) == set(network.points)
    assert loop.ended == "every point was made"
    assert not any(each.dominated for each in strategy.outlook(loop.made).values())


def test_nothing_is_made_from_what_failed() -> None:
    network = SyntheticNetwork(fails=("openvino/fp32/tome-8-gather",), adds_up=False)
    loop, _ = _search(network, 1000)
    below = [point for point in network.points if point.backend == "openvino" and point.tokens == "tome:8"]
    assert [point in loop.made for point in below] == [True] + [False] * (len(below) - 1)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_points_give_the_same_proposal(seed: int) -> None:
    network = SyntheticNetwork()
    loop, _ = _search(network, 6)
    first, second = (ByPrediction([network], axes(), seed).propose(loop.made, 4, 1e9) for _ in range(2))
    assert first == second


def test_what_was_not_timed_is_not_on_the_front() -> None:
    network = SyntheticNetwork()
    point = network.points[0]
    made = {point: Evaluation(point, network.amounts(point), "rejected", ("slower",))}
    assert not len(ByPrediction([network], axes(), 0).front(made))


class _Timed(SyntheticNetwork):
    """Time passes only as points take it."""

    now = 0.0

    def make_together(self, points: Sequence[PointSettings], on_made: Callable[[Evaluation], None]) -> None:
        before = len(self.made)
        super().make_together(points, on_made)
        self.now += sum(map(self.seconds, self.made[before:]))


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_the_fastest_point_within_the_drop_allowed_is_found_though_it_takes_a_fine_tuning(name: str) -> None:
    """Its minutes buy little of the front, which would spend them on others."""
    network = _Timed(name=name, error=0.05)
    budget = Budget(20.0, None, clock=lambda: network.now)
    loop = Loop([network], ByPrediction([network], axes(name), 0, by_time=True), budget)
    loop.run(1)

    def fastest(points: Iterable[PointSettings]) -> float:
        found = (network.amounts(point) for point in points)
        return min(each.ms for each in found if each.ms and each.drop <= network.max_drop)

    assert fastest(loop.made) <= 1.02 * fastest(network.points)
