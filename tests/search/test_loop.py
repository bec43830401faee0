"""The search, on a network that is numbers."""

from __future__ import annotations

from collections.abc import Callable

from edgevit.search.loop import Loop
from edgevit.search.search_budget import Budget
from edgevit.search.strategy import ByPrediction
from tests.search.synthetic import SyntheticNetwork, axes


def _loop(*networks: SyntheticNetwork, budget: Budget, on_made: Callable[[], None] = lambda: None) -> Loop:
    strategy = ByPrediction(networks, axes(*(network.name for network in networks)), 0)
    return Loop(networks, strategy, budget, on_made)


def test_no_more_candidates_are_made_than_allowed() -> None:
    for trials in (1, 4, 7):
        network = SyntheticNetwork()
        loop = _loop(network, budget=Budget(None, trials))
        loop.run(2)
        assert len(loop.made) == len(network.made) <= trials
        assert (
            loop.ended == f"all {trials} trials were made"
            or f"{trials - len(loop.made)} candidates are left" in loop.ended
        )


def test_nothing_is_begun_that_would_end_late() -> None:
    """Of ten minutes by the clock of the network, the last one is for what comes after."""
    network, seconds = SyntheticNetwork(), [0.0]
    budget = Budget(10, None, lambda: seconds[0])

    def count() -> None:
        seconds[0] += network.seconds(network.made[-1])

    loop = _loop(network, budget=budget, on_made=count)
    loop.run(1, reserve=lambda: 60.0)
    assert "seconds are left, and others need more" in loop.ended
    assert 440 <= seconds[0] <= 540


def test_each_candidate_is_told_as_soon_as_it_is_made() -> None:
    network, told = SyntheticNetwork(), list[int]()
    loop = _loop(network, budget=Budget(None, 9), on_made=lambda: told.append(len(network.made)))
    loop.run(1)
    assert told == list(range(1, len(loop.made) + 1))


def test_several_models_share_the_budget() -> None:
    first, second = SyntheticNetwork("vit"), SyntheticNetwork("cnn")
    loop = _loop(first, second, budget=Budget(None, 20))
    loop.run(2)
    assert {point.model for point in loop.made} == {"vit", "cnn"}
    assert len(loop.made) == len(first.made) + len(second.made)
