"""Drops of plans that searches tell each other."""

from __future__ import annotations

from edgevit.pipeline.token_search.tried_plans import PlanDrop, TriedPlans
from edgevit.spec.token_plan import parse_plan

PLAN = parse_plan("squeeze:4=127")


def test_what_was_tried_for_one_limit_says_nothing_about_another() -> None:
    tried = TriedPlans()
    tried.add(0.7, PLAN, PlanDrop(0.9, 120))
    tried.add(1.05, PLAN, PlanDrop(1.0, 400))
    assert tried.within(0.7) == {PLAN: PlanDrop(0.9, 120)}
    assert tried.within(1.05) == {PLAN: PlanDrop(1.0, 400)}
    assert tried.within(0.35) == {}


def test_what_is_returned_does_not_grow_later() -> None:
    tried = TriedPlans()
    before = tried.within(0.7)
    tried.add(0.7, PLAN, PlanDrop(0.9, 120))
    assert before == {}
