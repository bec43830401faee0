"""What sites do together, from plans that are carried out."""

from __future__ import annotations

import itertools

import pytest

from edgevit.pipeline.token_search.combined_divergence import CombinedDivergence
from edgevit.pipeline.token_search.search import PlannedPlan
from edgevit.spec.token_plan import ResizePlan, Site, TokenPlan


def planned(ms: float, nats: float, *sites: tuple[int, int], resized: ResizePlan | None = None) -> PlannedPlan:
    plan = TokenPlan("squeeze", tuple(Site(*site) for site in sites), resized=resized)
    shape = (str(resized or ""), "squeeze", *(str(block) for block, _ in sites))
    return PlannedPlan(plan, ms, nats, shape)


class Measured:
    """Sites in neighboring blocks do twice what their sum says, others half of it."""

    def __init__(self, plans: list[PlannedPlan]) -> None:
        self._summed = {each.plan: each.divergence for each in plans}
        self.asked: list[TokenPlan] = []

    def __call__(self, plan: TokenPlan) -> float:
        self.asked.append(plan)
        return self._summed[plan] * factor(plan)


def factor(plan: TokenPlan) -> float:
    blocks = [site.block for site in plan.sites(196, 12)]
    return 2.0 if any(b - a == 1 for a, b in itertools.pairwise(blocks)) else 0.5


NEAR, FAR, ONE = (
    planned(1.0, 0.08, (4, 100), (5, 50)),
    planned(1.1, 0.12, (4, 100), (8, 50)),
    planned(1.5, 0.1, (4, 60)),
)
SLOW = planned(3.0, 0.02, (4, 150), (5, 140))


def test_what_was_measured_of_some_blocks_goes_for_all_their_plans() -> None:
    plans = [NEAR, FAR, ONE, SLOW]
    measured = Measured(plans)
    found = {each.plan: each.divergence for each in CombinedDivergence(measured, 0.1, lambda: True).correct(plans)}
    assert found[NEAR.plan] == pytest.approx(0.16) and found[SLOW.plan] == pytest.approx(0.04)
    assert found[FAR.plan] == pytest.approx(0.06)
    assert found[ONE.plan] == 0.1, "one site is its own sum"
    assert len(measured.asked) == 2


def test_nothing_is_measured_twice_and_nothing_after_the_time() -> None:
    measured = Measured([NEAR, FAR])
    together = CombinedDivergence(measured, 0.1, lambda: True)
    once = together.correct([NEAR, FAR])
    assert together.correct([NEAR, FAR]) == once and len(measured.asked) == 2
    late = CombinedDivergence(measured, 0.1, lambda: False)
    assert late.correct([NEAR, FAR]) == [NEAR, FAR] and len(measured.asked) == 2


def test_other_blocks_are_as_the_most_similar_ones() -> None:
    beyond = planned(9.0, 0.01, (5, 190), (6, 180))
    apart = planned(9.5, 0.01, (3, 190), (7, 180))
    plans = [
        NEAR,
        FAR,
        *(planned(2 + 0.1 * at, 0.05, (2, 150 - at), (9 + at % 2, 140 - at)) for at in range(8)),
        beyond,
        apart,
    ]
    measured = Measured(plans)
    found = {each.plan: each.divergence for each in CombinedDivergence(measured, 0.05, lambda: True).correct(plans)}
    for each in (beyond, apart):
        assert found[each.plan] == pytest.approx(each.divergence * factor(each.plan))


def test_smaller_images_take_over_what_whole_ones_tell() -> None:
    small = planned(0.8, 0.08, (4, 80), (5, 40), resized=ResizePlan("resolution", 192))
    measured = Measured([NEAR, small])
    found = {
        each.plan: each.divergence for each in CombinedDivergence(measured, 0.2, lambda: True).correct([small, NEAR])
    }
    assert found[small.plan] == pytest.approx(0.16)
    assert measured.asked == [NEAR.plan]


def test_no_plans_and_sizes_alone() -> None:
    size = PlannedPlan(ResizePlan("resolution", 192), 2.0, 0.0, ("resolution:192",), 0.5)
    together = CombinedDivergence(Measured([]), 0.1, lambda: True)
    assert together.correct([]) == [] and together.correct([size]) == [size]
