"""How much a search looks at, and for how long."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from edgevit.pipeline.token_search.effort import SearchTime, evenly


def test_time_that_was_over_stays_over() -> None:
    left = iter([True, False, True])
    time = SearchTime(lambda: next(left))
    assert time() and not time.was_over
    assert not time() and time.was_over
    assert not time()


@pytest.mark.parametrize(
    ("count", "most", "places"), [(3, 5, (0, 1, 2)), (24, 3, (0, 11, 23)), (5, 5, (0, 1, 2, 3, 4)), (0, 4, ())]
)
def test_places_are_spread_evenly(count: int, most: int, places: tuple[int, ...]) -> None:
    assert evenly(count, most) == places
