"""Searching plans over made-up latencies and divergences."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from edgevit.pipeline.token_search.search import (
    Guide,
    ModelShape,
    PlannedPlan,
    Start,
    choose_plan,
    faster_plans,
    front,
    methods_worth_trying,
)
from edgevit.pipeline.token_search.site_divergence import DivergencePoint, SiteDivergence
from edgevit.pipeline.token_search.staircase import BlockCurve
from edgevit.results.token_search import BlockPoint, SitePoint
from edgevit.spec.token_plan import Plan, ResizePlan, TokenPlan, parse_plan

SHAPE = ModelShape(patches=32, prefix=1, depth=6)
START = Start(SHAPE)
STAIRS = {9: 1.0, 13: 2.0, 17: 2.0, 21: 4.0, 25: 4.0, 29: 5.0, 33: 5.0}


def curve(site_ms: float = 0.5, blocks: dict[int, float] = STAIRS) -> BlockCurve:
    points = tuple(BlockPoint(tokens, ms) for tokens, ms in blocks.items())
    return BlockCurve(points, tuple(SitePoint(method, 33, site_ms, "gather") for method in ("squeeze", "tome")))


def divergence(methods: tuple[str, ...] = ("squeeze",)) -> SiteDivergence:
    """Grows evenly with the share that leaves; three times as much at block 2 as at block 4."""
    factors = {2: 3.0, 3: 2.0, 4: 1.0}
    return SiteDivergence(
        tuple(
            DivergencePoint(method, block, share, factor * (1 - share))
            for method in methods
            for block, factor in factors.items()
            for share in (0.75, 0.5, 0.25, 0.1)
        )
    )


GUIDE = Guide(samples=1000)
"""Of whose images one is 0.1 points."""


def exact(plans: list[PlannedPlan], points: float) -> dict[str, float]:
    """Drops in percentage points, in proportion to divergence."""
    return {str(planned.plan): points * planned.divergence for planned in plans}


def test_blocks_for_sites_leave_out_the_first_and_the_last_two() -> None:
    assert ModelShape(196, 1, 12).site_blocks() == tuple(range(2, 11))
    assert ModelShape(196, 1, 24).site_blocks() == tuple(range(2, 23, 2))
    assert [ModelShape(16, 1, depth).site_blocks() for depth in (1, 2, 3, 4)] == [(), (1,), (1, 2), (2,)]


def test_plans_lie_on_steps_and_are_faster_than_dense() -> None:
    plans = faster_plans(curve(), divergence(), (START,))
    counts = {site.tokens for planned in plans for site in planned.plan.sites(32, 6)}
    assert counts == {24, 16, 8}
    assert all(planned.predicted_ms < 6 * 5.0 for planned in plans)
    assert [planned.predicted_ms for planned in plans] == sorted(planned.predicted_ms for planned in plans)


def test_the_best_plan_is_the_one_found_by_hand() -> None:
    plans = faster_plans(curve(), divergence(), (START,))
    drops = exact(plans, 1.0)
    found = choose_plan(plans, lambda plan: drops[str(plan)], 0.5, GUIDE)
    # 0.5 nats buy: half of all tokens leaving at block 4 (0.5), or a sixth at block 2: not even the step at 24 (0.75).
    # 3 blocks at 5 ms, (5 + 2) / 2, 2 blocks at 2 ms and the site: 15 + 3.5 + 4 + 0.5
    assert found.chosen is not None
    assert str(found.chosen.plan) == "squeeze:4=16"
    assert found.chosen.predicted_ms == pytest.approx(23.0)
    assert all(tried.drop_points == drops[tried.plan] for tried in found.tried)


def test_the_front_is_what_no_plan_beats() -> None:
    plans = faster_plans(curve(), divergence(("squeeze", "tome")), (START,))
    kept = front(plans)
    assert all(a.predicted_ms < b.predicted_ms and a.divergence > b.divergence for a, b in itertools.pairwise(kept))
    for planned in plans:
        assert any(
            other.predicted_ms <= planned.predicted_ms and other.divergence <= planned.divergence for other in kept
        )


@pytest.mark.parametrize("points", [10.0, 30.0])
def test_the_fastest_that_holds_is_found_for_every_limit(points: float) -> None:
    plans = faster_plans(curve(), divergence(("squeeze", "tome")), (START,))
    drops, limits = exact(plans, points), [points * tenth / 10 for tenth in range(30)]
    chosen = [choose_plan(plans, lambda plan: drops[str(plan)], limit, GUIDE).chosen for limit in limits]
    times = [planned.predicted_ms if planned else 30.0 for planned in chosen]
    for limit, ms in zip(limits, times, strict=True):
        holds = [planned.predicted_ms for planned in plans if drops[str(planned.plan)] <= limit + 1e-9]
        assert ms == min(holds, default=30.0)
    assert times[0] == 30.0 and times[-1] < 15


def test_tome_merges_no_more_than_half_at_once() -> None:
    plans = faster_plans(curve(), divergence(("tome",)), (START,))
    for planned in plans:
        planned.plan.sites(32, 6)  # raises where it cannot be carried out
    assert any(site.tokens == 8 for planned in plans for site in planned.plan.sites(32, 6))


def test_there_is_no_plan_where_reduction_never_pays() -> None:
    assert faster_plans(curve(site_ms=20.0), divergence(), (START,)) == []
    assert choose_plan([], lambda plan: 0.0, 1.0, GUIDE).chosen is None
    assert faster_plans(curve(blocks={9: 5.0, 17: 5.0, 33: 5.0}), divergence(), (START,)) == []


def test_there_is_no_plan_where_all_lose_too_much() -> None:
    found = choose_plan(faster_plans(curve(), divergence(), (START,)), lambda plan: 5.0, 1.0, GUIDE)
    assert found.chosen is None
    assert found.tried


def test_a_plan_of_another_shape_is_found_where_divergence_misjudged_it() -> None:
    plans = faster_plans(curve(), divergence(), (START,))
    drops = {**exact(plans, 1.0), "squeeze:3=16": 0.0}
    chosen = choose_plan(plans, lambda plan: drops[str(plan)], 0.5, GUIDE).chosen
    assert chosen is not None
    assert str(chosen.plan) == "squeeze:3=16"


def test_the_search_is_the_same_each_time() -> None:
    plans = faster_plans(curve(), divergence(("squeeze", "tome")), (START,))
    drops = exact(plans, 1.0)
    first, second = (choose_plan(plans, lambda plan: drops[str(plan)], 0.8, GUIDE) for _ in range(2))
    assert first == second
    assert len({tried.plan for tried in first.tried}) == len(first.tried)


def test_a_plan_that_loses_by_chance_does_not_give_up_its_speed() -> None:
    plans = faster_plans(curve(), divergence(("squeeze", "tome")), (START,))
    drops = {**exact(plans, 1.0), "squeeze:4=16": 1.5}
    chosen = choose_plan(plans, lambda plan: drops[str(plan)], 0.5, GUIDE).chosen
    assert chosen is not None
    assert str(chosen.plan) == "tome:4=16"


def test_few_plans_are_carried_out_each_once() -> None:
    plans = faster_plans(curve(), divergence(("squeeze", "tome")), (START,))
    for drop in (0.0, 0.9, 2.0, 50.0):
        tried = choose_plan(plans, lambda plan, drop=drop: drop, 1.0, Guide(1000, 7)).tried
        assert len({each.plan for each in tried}) == len(tried) <= (7 if drop <= 1.0 else 14)
    assert choose_plan(plans, lambda plan: 0.0, 1.0, Guide(1000, 7)).chosen == plans[0]


def test_after_the_fastest_plan_held_no_other_is_carried_out() -> None:
    plans = faster_plans(curve(), divergence(), (START,))[:1]
    assert len(choose_plan(plans, lambda plan: 0.0, 1.0, GUIDE).tried) == 1


def test_a_plan_that_hardly_gains_is_not_carried_out() -> None:
    plans = faster_plans(curve(), divergence(), (START,))[:1]
    slightly_faster = replace(plans[0], plan=parse_plan("squeeze:2=7"), predicted_ms=plans[0].predicted_ms * 0.999)
    known = {plans[0].plan: 0.0}
    assert choose_plan([slightly_faster, *plans], lambda plan: 0.0, 1.0, Guide(1000, 7, known)).chosen == plans[0]


def test_no_plan_is_tried_after_the_time_is_over() -> None:
    plans = faster_plans(curve(), divergence(), (START,))
    left = iter([True, True])
    found = choose_plan(plans, lambda plan: 0.4, 0.5, Guide(1000, has_time=lambda: next(left, False)))
    assert found.chosen is not None
    assert len(found.tried) in (1, 2)
    assert choose_plan(plans, lambda plan: 0.4, 0.5, Guide(1000, has_time=lambda: False)).tried == ()


def test_an_earlier_choice_is_gone_on_from() -> None:
    plans = faster_plans(curve(), divergence(("squeeze", "tome")), (START,))
    drops = exact(plans, 1.0)
    first = choose_plan(plans, lambda plan: drops[str(plan)], 0.8, GUIDE)
    known = {parse_plan(tried.plan): tried.drop_points for tried in first.tried}
    slower = faster_plans(curve(blocks={**STAIRS, 9: 1.2}), divergence(("squeeze", "tome")), (START,))
    carried_out: list[str] = []

    def drop_points(plan: TokenPlan) -> float:
        carried_out.append(str(plan))
        return drops[str(plan)]

    again = choose_plan(slower, drop_points, 0.8, Guide(1000, 4, known))
    assert again.chosen is not None and first.chosen is not None
    assert again.chosen.predicted_ms <= min(
        planned.predicted_ms for planned in slower if known.get(planned.plan, 100.0) <= 0.8
    )
    assert len(carried_out) <= 4
    assert not {parse_plan(plan) for plan in carried_out} & set(known)


SMALLER = Start(ModelShape(patches=16, prefix=1, depth=6), ResizePlan("resolution", 24), drop_points=0.3)
"""Half of the tokens are there from the start."""


def test_plans_are_of_smaller_images_of_fewer_tokens_and_of_both() -> None:
    plans = faster_plans(curve(), divergence(), (START, SMALLER))
    alone = [planned for planned in plans if isinstance(planned.plan, ResizePlan)]
    assert [(str(each.plan), each.predicted_ms, each.divergence) for each in alone] == [("resolution:24", 6 * 2.0, 0.0)]
    both = {str(each.plan): each for each in plans if isinstance(each.plan, TokenPlan) and each.plan.resized}
    assert set(both) == {f"resolution:24+squeeze:{block}=8" for block in (2, 3, 4)}
    # 3 blocks at 2 ms, (2 + 1) / 2, 2 blocks at 1 ms and what the site costs 17 of 33 tokens
    assert both["resolution:24+squeeze:4=8"].predicted_ms == pytest.approx(9.5 + 0.5 * 17 / 33)
    assert both["resolution:24+squeeze:4=8"].divergence == pytest.approx(0.5)  # that of half of the tokens leaving
    assert {each.start_drop_points for each in both.values()} == {0.3}
    without = faster_plans(curve(), divergence(), (START,))
    assert [each for each in plans if each.start_drop_points == 0] == without


def test_what_a_smaller_image_lost_is_counted_before_its_plans_are_tried() -> None:
    plans = faster_plans(curve(), divergence(), (START, SMALLER))
    drops = {str(each.plan): each.start_drop_points + each.divergence for each in plans}
    known: dict[Plan, float] = {ResizePlan("resolution", 24): 0.3}
    found = {
        limit: choose_plan(plans, lambda plan: drops[str(plan)], limit, Guide(1000, known=known)).chosen
        for limit in (0.7, 0.9)
    }
    assert {limit: str(each.plan) for limit, each in found.items() if each} == {
        0.7: "resolution:24",
        0.9: "resolution:24+squeeze:4=8",
    }


def scaled(factor: float) -> SiteDivergence:
    """Tome does so many times what squeeze does."""
    points = divergence().points
    return SiteDivergence((*points, *(replace(each, method="tome", nats=factor * each.nats) for each in points)))


@pytest.mark.parametrize(
    ("factor", "methods"),
    [(1.0, ("squeeze", "tome")), (1.1, ("squeeze", "tome")), (2.0, ("squeeze",)), (0.4, ("tome",))],
)
def test_a_method_that_does_far_more_is_not_worth_trying(factor: float, methods: tuple[str, ...]) -> None:
    small = SiteDivergence(tuple(replace(each, nats=each.nats / 20) for each in scaled(factor).points))
    assert methods_worth_trying(small, SHAPE, tuple(range(9, 34))) == methods


def test_all_methods_are_worth_trying_where_none_does_what_matters() -> None:
    nothing = SiteDivergence(tuple(replace(each, nats=0.0) for each in scaled(2.0).points))
    assert methods_worth_trying(nothing, SHAPE, tuple(STAIRS)) == ("squeeze", "tome")


def test_plans_are_tried_alike_in_another_unit() -> None:
    plans = faster_plans(curve(), divergence(("squeeze", "tome")), (START,))
    drops = exact(plans, 1.0)
    in_points = choose_plan(plans, lambda plan: drops[str(plan)], 0.5, GUIDE)
    in_shares = choose_plan(plans, lambda plan: drops[str(plan)] / 64, 0.5 / 64, replace(GUIDE, point=1 / 64))
    assert len(in_points.tried) > 1
    assert [each.plan for each in in_shares.tried] == [each.plan for each in in_points.tried]
    assert in_shares.chosen == in_points.chosen
