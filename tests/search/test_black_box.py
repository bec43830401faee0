"""Samplers of Optuna choose points of the space, too."""

from __future__ import annotations

import pytest

from edgevit.search.black_box import BlackBox
from edgevit.search.loop import Loop
from edgevit.search.search_budget import Budget
from tests.search.synthetic import SyntheticNetwork, axes

pytest.importorskip("optuna")


def _search(method: str, seed: int = 0, trials: int = 24) -> tuple[Loop, SyntheticNetwork]:
    network = SyntheticNetwork()
    strategy = BlackBox([network], axes(), method, seed)
    loop = Loop([network], strategy, Budget(None, trials))
    loop.run(2)
    return loop, network


@pytest.mark.parametrize("method", ["tpe", "nsga2", "random"])
def test_points_are_possible_ones_and_the_same_for_a_seed(method: str) -> None:
    (loop, network), (again, _) = _search(method), _search(method)
    assert list(loop.made) == list(again.made)
    assert set(loop.made) <= set(network.points)
    assert 20 <= len(loop.made) <= 24


def test_another_seed_is_another_search() -> None:
    assert list(_search("random", 0)[0].made) != list(_search("random", 1)[0].made)


def test_it_ends_where_nothing_new_is_found() -> None:
    loop, network = _search("random", trials=10_000)
    assert len(loop.made) > len(network.points) / 2
    assert "no new point" in loop.ended
