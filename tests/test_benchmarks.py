"""What the benchmarks promise to cover."""

from __future__ import annotations

import pytest

from benchmarks.tokens import DIGITS_PLANS, PLANS, PROMISING, groups
from edgevit.spec.token_plan import AUTO, METHODS, RESIZINGS, parse_plans


@pytest.mark.parametrize("plans", [PLANS, DIGITS_PLANS])
def test_every_method_and_every_baseline_is_on_the_front(plans: str) -> None:
    found = [getattr(plan, "method", plan) for plan in parse_plans(plans)]
    assert set(found) == {*METHODS, *RESIZINGS, AUTO}


def test_every_plan_is_in_one_group() -> None:
    parts = groups(PLANS)
    assert sorted(parse_plans(",".join(part.plans for part in parts)), key=str) == sorted(parse_plans(PLANS), key=str)
    assert {str(plan) for plan in parse_plans(parts[0].plans)} == set(PROMISING)
    assert groups("resolution:192")[0].plans == "none"
