"""Minutes and trials of a search."""

from __future__ import annotations

from edgevit.search.search_budget import Budget


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_is_what_the_reserve_leaves() -> None:
    clock = Clock()
    budget = Budget(10, None, clock)
    assert budget.usable_seconds(100) == 500
    clock.now = 60
    assert budget.minutes == 1
    assert budget.usable_seconds(100) == 440


def test_experience_scales_what_is_expected() -> None:
    budget = Budget(10, None, Clock())
    budget.spend(2, expected=50, taken=100)
    assert budget.pace == 2
    assert budget.usable_seconds(0) == 300
    assert budget.trials == 2


def test_without_limits_everything_fits() -> None:
    budget = Budget(None, None, Clock())
    assert budget.usable_seconds(1e9) == float("inf")
    assert budget.trials_left > 1000


def test_trials_left_end_at_none() -> None:
    budget = Budget(None, 3, Clock())
    budget.spend(4, 1, 1)
    assert budget.trials_left == 0
