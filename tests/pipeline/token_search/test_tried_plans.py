"""Drops of plans that searches tell each other."""

from __future__ import annotations

from edgevit.pipeline.token_search.tried_plans import PlanDrop, TriedPlans
from edgevit.spec.token_plan import parse_plan

PLAN = parse_plan("squeeze:4=127")


def test_what_was_tried_for_one_limit_says_nothing_about_a_larger_one() -> None:
    tried = TriedPlans()
    tried.add(0.7, PLAN, PlanDrop(0.9, 120))
    assert tried.within(1.05) == {}
    tried.add(1.05, PLAN, PlanDrop(1.0, 400))
    assert tried.within(0.7) == {PLAN: PlanDrop(0.9, 120)}
    assert tried.within(1.05) == {PLAN: PlanDrop(1.0, 400)}


def test_what_was_tried_for_a_larger_limit_tells_no_less() -> None:
    tried = TriedPlans()
    tried.add(1.05, PLAN, PlanDrop(1.0, 400))
    assert tried.within(0.35) == {PLAN: PlanDrop(1.0, 400)}


def test_what_lost_no_less_than_a_plan_that_tuning_did_not_save_is_hopeless() -> None:
    tried = TriedPlans()
    assert not tried.is_hopeless(9.0, 1.0)
    tried.add_tuned(PLAN, 4.0, 1.5)
    assert [tried.is_hopeless(before, 1.0) for before in (3.9, 4.0, 5.0)] == [False, True, True]
    assert not tried.is_hopeless(5.0, 1.5)  # it was saved


def test_what_is_returned_does_not_grow_later() -> None:
    tried = TriedPlans()
    before = tried.within(0.7)
    tried.add(0.7, PLAN, PlanDrop(0.9, 120))
    assert before == {}
