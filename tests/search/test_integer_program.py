"""The integer program is as good as trying everything."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.search.integer_program import Option, choose_levels, select

AMOUNTS = st.integers(0, 20).map(lambda each: each / 4)
LAYERS = st.lists(
    st.lists(st.builds(Option, AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=3), min_size=1, max_size=8
)


def _sums(layers: list[list[Option]], places: tuple[int, ...]) -> tuple[float, float, float]:
    taken = [layer[place] for layer, place in zip(layers, places, strict=True)]
    return sum(o.divergence for o in taken), sum(o.ms for o in taken), sum(o.bytes for o in taken)


def _by_trying(layers: list[list[Option]], most_ms: float, most_bytes: float) -> float | None:
    everything = itertools.product(*(range(len(layer)) for layer in layers))
    sums = (_sums(layers, places) for places in everything)
    return min((nats for nats, ms, size in sums if ms <= most_ms and size <= most_bytes), default=None)


@settings(max_examples=40, deadline=None)
@given(LAYERS, st.floats(0, 1), st.floats(0, 1))
def test_it_finds_what_trying_everything_finds(
    layers: list[list[Option]], time_share: float, size_share: float
) -> None:
    """Limits are midway between the sums that are possible, where rounding decides nothing."""
    most_ms, most_bytes = (
        share * sum(max(amount(option) for option in layer) for layer in layers) // 0.25 * 0.25 + 0.125
        for share, amount in ((time_share, lambda o: o.ms), (size_share, lambda o: o.bytes))
    )
    expected, found = _by_trying(layers, most_ms, most_bytes), select(layers, most_ms, most_bytes)
    if expected is None or found is None:
        assert expected is None
        assert found is None
        return
    assert found.divergence == pytest.approx(expected)
    assert (found.divergence, found.ms, found.bytes) == pytest.approx(_sums(layers, found.chosen))
    assert found.ms <= most_ms
    assert found.bytes <= most_bytes


def test_another_solution_of_the_same_limit_is_the_second_best() -> None:
    layers = [[Option(0, 2), Option(1, 1)], [Option(0, 2), Option(3, 1)]]
    first = select(layers, 3)
    assert first is not None
    second = select(layers, 3, forbidden=[first.chosen])
    assert (first.chosen, second and second.chosen) == ((1, 0), (0, 1))


def test_nothing_to_choose_is_no_selection() -> None:
    assert select([], 1.0) is None


def test_levels_begin_with_the_fastest_choice_and_end_with_the_most_exact() -> None:
    layers = [[Option(nats, 0), Option(0, 1)] for nats in (0.9, 0.1, 0.2, 0.05)]
    levels = choose_levels(layers, (0.0, 0.25, 0.5, 1.0))
    assert [level.chosen for level in levels] == [(0, 0, 0, 0), (1, 0, 0, 0), (1, 0, 1, 0), (1, 1, 1, 1)]


def test_two_hundred_layers_take_no_second() -> None:
    """The figure that the tool promises; the processor's own time, which other work does not change."""
    rng = np.random.default_rng(0)
    amounts = rng.random((200, 4, 2))
    layers = [[Option(float(nats), float(ms)) for nats, ms in layer] for layer in amounts]
    select(layers[:2], 1.0)  # imports
    begin = time.process_time()
    found = select(layers, 60.0)
    assert found is not None
    assert time.process_time() - begin <= 1.0
