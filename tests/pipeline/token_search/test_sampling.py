"""How few blocks tell the steps of a staircase: known curves, found by the counts that are asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgevit.pipeline.token_search.sampling import (
    counts_at_steps,
    estimated,
    first_counts,
    site_counts,
    token_grid,
)
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.token_search import BlockPoint, SitePoint

Curve = Callable[[int], float]
GRID = token_grid(197)


def tiled(tile: int, tokens: int) -> int:
    """Tokens rounded up to whole tiles."""
    return -(-tokens // tile) * tile


CURVES: dict[str, tuple[Curve, int]] = {
    "a step every 16 tokens": (lambda tokens: 0.2 + 0.01 * tiled(16, tokens), 5),
    "growing steps every 16": (lambda tokens: 0.01 * tiled(16, tokens) + 2e-5 * tiled(16, tokens) ** 2, 5),
    "a step every 32 tokens": (lambda tokens: 0.1 + 0.01 * tiled(32, tokens), 5),
    "a step every 64 tokens": (lambda tokens: 1.0 + 0.01 * tiled(64, tokens), 5),
    "a step every 8 tokens": (lambda tokens: 0.4 + 0.01 * tiled(8, tokens), 5),
    "a parabola": (lambda tokens: 0.01 * tokens + 2e-5 * tokens**2, 5),
    "no step": (lambda tokens: 3.0, 5),
    "one big step": (lambda tokens: 1.0 + (tokens > 144), 8),
    "one big step in a line": (lambda tokens: 0.01 * tokens + (tokens > 72), 8),
}


def sample(curve: Curve, grid: tuple[int, ...]) -> BlockCurve:
    """Asks for as many counts as the sampling wants."""
    counts = set(first_counts(grid))
    while True:
        points = tuple(BlockPoint(tokens, curve(tokens)) for tokens in sorted(counts))
        more = counts_at_steps(points, grid)
        if not more:
            return BlockCurve(points, ())
        assert not counts & {*more}, "nothing is measured twice"
        counts |= {*more}


@pytest.mark.parametrize("name", CURVES)
def test_the_steps_are_those_of_a_sweep_and_need_few_counts(name: str) -> None:
    curve, most = CURVES[name]
    sampled = sample(curve, GRID)
    sweep = BlockCurve(tuple(BlockPoint(tokens, curve(tokens)) for tokens in GRID), ())
    assert len(sampled.blocks) <= most < len(sweep.blocks) / 2
    assert estimated(sampled, GRID).steps() == sweep.steps()
    for found, true in zip(estimated(sampled, GRID).blocks, sweep.blocks, strict=True):
        assert found.ms == pytest.approx(true.ms, rel=0.01)


@pytest.mark.parametrize("name", CURVES)
def test_noise_makes_no_steps_that_are_searched_for(name: str) -> None:
    curve, most = CURVES[name]

    def noisy(tokens: int) -> float:
        return curve(tokens) * (1 + 0.004 * (-1) ** (tokens // 8))

    sampled = sample(noisy, GRID)
    assert len(sampled.blocks) <= most
    for found in estimated(sampled, GRID).blocks:
        assert found.ms == pytest.approx(curve(found.tokens), rel=0.025)


def test_what_was_measured_stays_as_it_is() -> None:
    wild = BlockCurve(
        tuple(BlockPoint(tokens, ms) for tokens, ms in ((56, 1.0), (96, 3.0), (136, 2.0), (176, 6.0), (197, 5.0))),
        (SitePoint("tome", 136, 0.2, "gather"),),
    )
    found = estimated(wild, GRID)
    assert [point for point in found.blocks if point.tokens in (56, 96, 136, 176, 197)] == list(wild.blocks)
    assert {point.tokens: point.ms for point in found.blocks}[112] == pytest.approx(2.6)  # on a straight line
    assert [point.tokens for point in found.blocks] == list(GRID)
    assert found.sites == wild.sites


def test_counts_off_the_grid_are_kept() -> None:
    found = estimated(BlockCurve((BlockPoint(20, 1.0), BlockPoint(65, 2.0)), ()), token_grid(65))
    assert [point.tokens for point in found.blocks] == [20, 24, 32, 40, 48, 56, 64, 65]


def test_the_grid_has_multiples_down_to_a_quarter() -> None:
    assert token_grid(65) == (24, 32, 40, 48, 56, 64, 65)
    assert token_grid(17) == (8, 16, 17)
    assert token_grid(197)[:2] == (56, 64)
    assert len(token_grid(577)) <= 25 and token_grid(577)[1] - token_grid(577)[0] == 24


def test_the_first_counts_are_few_and_not_all_at_one_place_of_a_tile() -> None:
    assert first_counts(GRID) == (56, 96, 136, 176, 197)
    assert first_counts(token_grid(65)) == (24, 48, 65)
    assert first_counts((17,)) == (17,)
    for tokens in (50, 145, 197, 257, 577, 785, 1025):
        counts = first_counts(token_grid(tokens))
        assert len(counts) <= 7 and counts[-1] == tokens
        assert len({count % 16 for count in counts}) > 1


def test_a_site_goes_between_two_counts_that_are_measured() -> None:
    assert site_counts((56, 96, 136, 176, 197), prefix=1) == (136, 96)
    assert site_counts((24, 48, 65), prefix=1) == (65, 48)  # from 48 to 24 would be less than half of the patches
    assert site_counts((65,), prefix=1) is None
    assert site_counts((1, 5), prefix=1) is None
