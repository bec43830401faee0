"""Divergence of plans from that of single sites."""

from __future__ import annotations

import pytest

from edgevit.pipeline.token_search.site_divergence import DivergencePoint, SiteDivergence

TABLE = SiteDivergence(
    (
        DivergencePoint("squeeze", 2, 0.8, 0.1),
        DivergencePoint("squeeze", 2, 0.6, 0.4),
        DivergencePoint("squeeze", 4, 0.8, 0.05),
        DivergencePoint("squeeze", 4, 0.6, 0.2),
    )
)


@pytest.mark.parametrize(
    ("block", "share", "nats"),
    [(2, 1.0, 0.0), (2, 0.9, 0.025), (2, 0.8, 0.1), (2, 0.7, 0.225), (1, 0.6, 0.4), (9, 0.6, 0.2)],
)
def test_between_shares_it_is_a_power_of_what_leaves(block: int, share: float, nats: float) -> None:
    assert TABLE.alone("squeeze", block, share) == pytest.approx(nats)  # 0.1 (left / 0.2)² in block 2


def test_between_blocks_it_falls_by_the_same_factor() -> None:
    assert TABLE.alone("squeeze", 3, 0.6) == pytest.approx((0.4 * 0.2) ** 0.5)


def test_below_the_smallest_share_it_grows_by_the_same_factor() -> None:
    assert TABLE.alone("squeeze", 2, 0.4) == pytest.approx(1.6)


def test_one_share_tells_all_by_the_square_of_what_leaves() -> None:
    one = SiteDivergence((DivergencePoint("tome", 2, 0.5, 0.1),))
    assert [one.alone("tome", 2, share) for share in (1.0, 0.75, 0.5, 0.0)] == pytest.approx([0.0, 0.025, 0.1, 0.4])


def test_a_site_does_what_the_same_share_does_alone_at_its_block() -> None:
    assert TABLE.step("squeeze", 2, 1.0, 0.6) == pytest.approx(0.4)
    assert TABLE.step("squeeze", 4, 0.75, 0.6) == pytest.approx(0.05)
    assert TABLE.step("squeeze", 4, 0.5, 0.5) == 0.0


def test_fewer_tokens_never_do_less() -> None:
    noisy = SiteDivergence((DivergencePoint("tome", 2, 0.9, 0.02), DivergencePoint("tome", 2, 0.8, 0.01)))
    assert noisy.alone("tome", 2, 0.8) == pytest.approx(0.02)


def test_what_did_nothing_is_not_extrapolated() -> None:
    nothing = SiteDivergence((DivergencePoint("tome", 2, 0.9, 0.0), DivergencePoint("tome", 2, 0.8, 0.0)))
    assert nothing.alone("tome", 2, 0.5) == 0.0
