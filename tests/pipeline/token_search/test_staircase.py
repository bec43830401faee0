"""Staircases of block times."""

from __future__ import annotations

import pytest

from edgevit.pipeline.token_search.staircase import BlockCurve, interpolate
from edgevit.results.token_search import BlockPoint, SitePoint
from edgevit.spec.token_plan import Site


def curve(blocks: dict[int, float], site_ms: float = 0.0, methods: tuple[str, ...] = ("squeeze",)) -> BlockCurve:
    """A site at 10 tokens costs ``site_ms``."""
    points = tuple(BlockPoint(tokens, ms) for tokens, ms in sorted(blocks.items()))
    return BlockCurve(points, tuple(SitePoint(method, 10, site_ms, "gather") for method in methods))


def test_of_counts_that_are_equally_fast_the_largest_is_on_the_step() -> None:
    assert curve({8: 1.0, 16: 1.0, 24: 2.0, 32: 2.0, 33: 3.0}).steps() == (33, 32, 16)


def test_noise_within_the_tolerance_makes_no_step() -> None:
    assert curve({8: 0.995, 16: 1.0, 24: 1.994, 32: 2.0, 33: 3.0}).steps() == (33, 32, 16)


def test_a_count_that_is_slower_than_a_larger_one_is_on_no_step() -> None:
    assert curve({8: 1.0, 16: 3.1, 24: 2.0, 33: 3.0}).steps() == (33, 24, 8)


def test_small_steps_are_not_lost_one_by_one() -> None:
    rising = {tokens: 1 + tokens * 0.006 for tokens in range(1, 9)}  # each 0.6 % above the one before
    assert curve(rising).steps() == (8, 6, 4, 2)


def test_no_sites_cost_all_blocks() -> None:
    assert curve({5: 1.0, 17: 2.5}).plan_ms("squeeze", (), prefix=1, depth=12) == 12 * 2.5


def test_a_reducing_block_is_half_a_block_of_each_count_and_the_site() -> None:
    blocks = curve({5: 1.0, 9: 2.0, 17: 4.0}, site_ms=0.25)
    # two blocks at 17, one from 17 to 9, one at 9, one from 9 to 5, one at 5
    expected = 2 * 4.0 + (4.0 + 2.0) / 2 + 2.0 + (2.0 + 1.0) / 2 + 1.0 + 0.25 * (17 + 9) / 10
    assert blocks.plan_ms("squeeze", (Site(3, 8), Site(5, 4)), prefix=1, depth=6) == pytest.approx(expected)


def test_a_site_costs_by_the_tokens_that_enter() -> None:
    sites = (SitePoint("tome", 10, 1.0, "gather"), SitePoint("tome", 20, 3.0, "gather"))
    stairs = BlockCurve((BlockPoint(20, 9.0),), sites)
    assert [stairs.site_ms("tome", tokens) for tokens in (5, 10, 15, 20, 40)] == pytest.approx([0.5, 1, 1.875, 3, 6])


def test_between_points_lies_a_straight_line_and_beyond_them_the_nearest() -> None:
    points = [(1.0, 10.0), (3.0, 20.0)]
    assert [interpolate(points, x) for x in (0, 1, 2, 3, 4)] == [10, 10, 15, 20, 20]


def test_a_smaller_image_has_fewer_tokens_from_the_start() -> None:
    blocks = curve({5: 1.0, 9: 1.5, 17: 2.5})
    assert blocks.plan_ms("squeeze", (), 1, 6, start_tokens=9) == 6 * 1.5
    reduced = blocks.plan_ms("squeeze", (Site(3, 4),), 1, 6, start_tokens=9)
    assert reduced == pytest.approx(6 * 1.5 + blocks.site_ms("squeeze", 9) - 3.5 * 0.5)
