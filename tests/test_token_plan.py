"""Token plans: exact counts."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.errors import UsageError
from edgevit.token_plan import TokenPlan


@pytest.mark.parametrize(
    ("text", "patches", "counts"),
    [
        ("evit:0.7@4,7,10", 196, (138, 97, 68)),  # 137.2, 96.6, 67.9 rounded up
        ("evit:0.8@4,7,10", 196, (157, 126, 101)),
        ("evit:0.9@4,7,10", 196, (177, 160, 144)),
        ("evit:0.5@1", 64, (32,)),  # exact halves stay
        ("evit:0.7@1", 10, (7,)),  # 0.7 * 10 is 7.000000000000001 in some orders of float arithmetic
        ("evit:0.1@2,3", 30, (3, 1)),
        ("evit:0.01@1,2", 64, (1, 1)),
        ("evit:0.999@1", 64, (64,)),
    ],
)
def test_counts_are_rounded_up_exactly(text: str, patches: int, counts: tuple[int, ...]) -> None:
    assert TokenPlan.parse(text).counts(patches) == counts


digits = st.integers(1, 999_999_999)
plans = st.builds(
    lambda thousandth, sites: TokenPlan("evit", Fraction(thousandth, 10**9), tuple(sorted(sites))),
    digits,
    st.sets(st.integers(1, 50), min_size=1, max_size=6),
)


@given(plans, st.integers(1, 5000))
def test_counts_never_grow_nor_reach_zero(plan: TokenPlan, patches: int) -> None:
    counts = plan.counts(patches)
    assert len(counts) == len(plan.sites)
    before = patches
    for kept in counts:
        assert 1 <= kept <= before
        assert kept - 1 < before * plan.keep_ratio <= kept
        before = kept


@given(plans)
def test_a_plan_is_written_as_it_is_read(plan: TokenPlan) -> None:
    assert TokenPlan.parse(str(plan)) == plan
    assert "/" not in plan.slug
    assert "," not in plan.slug


def test_a_plan_in_words() -> None:
    plan = TokenPlan.parse("evit:0.70@4,7,10")
    assert (str(plan), plan.slug) == ("evit:0.7@4,7,10", "evit-0.7-4-7-10")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evit", "not a token plan"),
        ("evit:0.7", "not a token plan"),
        ("evit:0.7@", "not a token plan"),
        ("evit:0.7@4,", "not a token plan"),
        ("evit:-0.7@4", "not a token plan"),
        ("evit:nan@4", "not a token plan"),
        ("evit:0.7@4 ", "not a token plan"),
        ("evti:0.7@4", "unknown token reduction method: 'evti'"),
        ("evit:0@4", "between 0 and 1"),
        ("evit:1@4", "between 0 and 1"),
        ("evit:1.0@4", "between 0 and 1"),
        ("evit:.@4", "is not a number"),
        ("evit:0.7.1@4", "is not a number"),
        ("evit:0.7@0", "must rise"),
        ("evit:0.7@4,4", "must rise"),
        ("evit:0.7@7,4", "must rise"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TokenPlan.parse(text)
