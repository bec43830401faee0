"""Token plans: what is read, exact counts, and the published costs of models that carry them out."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.errors import UsageError
from edgevit.spec.token_plan import (
    AUTO,
    METHODS,
    KeepRatio,
    RemoveEach,
    ResizePlan,
    Site,
    TokenPlan,
    check_form,
    parse_any_plan,
    parse_plan,
    parse_plans,
    resizing_of,
)

PATCHES, DEPTH = 196, 12


def counts(text: str, patches: int = PATCHES, depth: int = DEPTH) -> list[tuple[int, int]]:
    return [(site.block, site.tokens) for site in parse_plan(text).sites(patches, depth)]


@pytest.mark.parametrize(
    ("text", "patches", "expected"),
    [
        ("evit:0.7@4,7,10", 196, [138, 97, 68]),  # 137.2, 96.6, 67.9 rounded up
        ("evit:0.8@4,7,10", 196, [157, 126, 101]),
        ("evit:0.9@4,7,10", 196, [177, 160, 144]),
        ("evit:0.5@1", 64, [32]),  # exact halves stay
        ("evit:0.7@1", 10, [7]),  # 0.7 * 10 is 7.000000000000001 in some orders of float arithmetic
        ("evit:0.1@2,3", 30, [3, 1]),
        ("squeeze:0.7@4,7,10", 196, [138, 97, 68]),
        ("evit_fused:0.7@4,7,10", 196, [139, 99, 71]),  # 138 + 1, ceil(0.7 * 139) + 1, ceil(0.7 * 99) + 1
        ("evit_fused:50@4,7", 196, [147, 98]),
        ("evit:50@4,7,10", 196, [146, 96, 46]),
        ("tome:8@1,2", 197, [189, 181]),
        ("tome:98@4", 196, [98]),
        ("squeeze:4=150,7=100", 196, [150, 100]),
    ],
)
def test_counts_are_rounded_up_exactly(text: str, patches: int, expected: list[int]) -> None:
    assert [tokens for _, tokens in counts(text, patches)] == expected


@pytest.mark.parametrize(
    ("text", "depth", "blocks"),
    [
        ("evit:0.7", 12, [4, 7, 10]),  # drop_loc (3, 6, 9) of EViT's code, which counts from 0
        ("evit:0.7", 24, [7, 13, 19]),
        ("squeeze:0.7", 6, [2, 4, 5]),
        ("evit:0.7", 2, [1, 2]),
        ("evit:0.7", 1, [1]),
        ("tome:8", 12, list(range(1, 13))),
        ("evit:8", 3, [1, 2, 3]),
        ("tome:8@2,5", 12, [2, 5]),
    ],
)
def test_blocks_that_are_not_named(text: str, depth: int, blocks: list[int]) -> None:
    assert [block for block, _ in counts(text, depth=depth)] == blocks


def test_sites_that_keep_all_are_left_out() -> None:
    assert counts("evit:0.999@1,2", patches=64) == []
    assert counts("evit:0.9@1,2,3", patches=10) == [(1, 9)]  # then 8.1 of 9 is 9 again
    assert counts("squeeze:4=196,7=100") == [(7, 100)]
    assert counts("evit_fused:1@3") == []  # the one that leaves would be the fused one


# Each row: tokens with the class token after each site, and GMACs of DeiT-T, S and B.
# Sources: EViT, table 1 (4.0, 3.5, 3.0, 2.6, 2.3 of DeiT-S); PPT (2.944 of DeiT-S); timm's list of models (dense).
PUBLISHED = [
    ("evit_fused:0.9", [179, 163, 148], (1.092, 4.022, 15.395)),
    ("evit_fused:0.8", [159, 129, 105], (0.942, 3.477, 13.327)),
    ("evit_fused:0.7", [140, 100, 72], (0.821, 3.029, 11.610)),
    ("evit_fused:0.6", [120, 74, 46], (0.715, 2.635, 10.088)),
    ("evit_fused:0.5", [100, 52, 28], (0.629, 2.309, 8.820)),
    ("tome:8", list(range(189, 100, -8)), (0.924, 3.416, 13.104)),
    ("tome:13", list(range(184, 40, -13)), (0.731, 2.703, 10.367)),
    ("evit:50@4,7,10", [147, 97, 47], (0.796, 2.931, 11.220)),
    ("squeeze:50@4,7,10", [147, 97, 47], (0.796, 2.931, 11.220)),
    ("squeeze:4=146,7=96,10=46", [147, 97, 47], (0.796, 2.931, 11.220)),
]


def macs(width: int, sites: tuple[Site, ...]) -> int:
    """MACs of a DeiT: 4 N D² + 2 N² D in attention and 8 N' D² in the MLP of each block, embedding and head."""
    after = {site.block: site.tokens + 1 for site in sites}
    tokens, total = PATCHES + 1, PATCHES * 768 * width + 1000 * width
    for block in range(1, DEPTH + 1):
        total += 4 * tokens * width**2 + 2 * tokens**2 * width
        tokens = after.get(block, tokens)
        total += 8 * tokens * width**2
    return total


@pytest.mark.parametrize(("text", "tokens", "gmacs"), PUBLISHED)
def test_published_tokens_and_costs(text: str, tokens: list[int], gmacs: tuple[float, ...]) -> None:
    sites = parse_plan(text).sites(PATCHES, DEPTH)
    assert [site.tokens + 1 for site in sites] == tokens
    assert [macs(width, sites) / 1e9 for width in (192, 384, 768)] == pytest.approx(gmacs, rel=0.001)


def test_published_costs_of_all_tokens() -> None:
    assert [macs(width, ()) / 1e9 for width in (192, 384, 768)] == pytest.approx((1.254, 4.599, 17.564), rel=0.001)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("evit:0.7@4,13", "names block 13, the model has 12", None),
        ("evit:4=150,13=100", "names block 13, the model has 12", None),
        ("evit:20", "leaves -4 of 16 patch tokens at block 10", "from 1 to 16"),
        ("evit:196@4", "leaves 0 of 196 patch tokens at block 4: one has to stay", "from 1 to 196"),
        ("evit:4=197", "leaves 197 of 196 patch tokens at block 4", "from 1 to 196"),
        ("tome:0.4", "leaves 79 of 196 patch tokens at block 4: tome merges at most half of them", "from 98 to 196"),
        ("tome:99@2", "leaves 97 of 196 patch tokens at block 2: tome merges at most half", "from 98 to 196"),
        ("tome:4=150,7=74", "leaves 74 of 150 patch tokens at block 7: tome merges at most half", "from 75 to 150"),
        ("evit_fused:4=1", "leaves 1 of 196 patch tokens at block 4", "from 2 to 196"),
        ("evit_fused:196@4", "leaves 1 of 196 patch tokens at block 4", "from 2 to 196"),
    ],
)
def test_plans_that_a_model_cannot_carry_out(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        parse_plan(text).sites(PATCHES, DEPTH)
    assert message in caught.value.message
    assert hint is None or hint in str(caught.value.hint)


ratios = st.integers(1, 10**9 - 1).map(lambda digits: KeepRatio(Fraction(digits, 10**9)))
numbers = st.integers(1, 400).map(RemoveEach)
some_blocks = st.sets(st.integers(1, 50), min_size=1, max_size=6).map(lambda found: tuple(sorted(found)))
methods = st.sampled_from(sorted(METHODS))


@st.composite
def explicit(draw: st.DrawFn) -> tuple[Site, ...]:
    blocks = draw(some_blocks)
    tokens = draw(st.sets(st.integers(1, 400), min_size=len(blocks), max_size=len(blocks)))
    return tuple(map(Site, blocks, sorted(tokens, reverse=True)))


plans = st.one_of(
    st.builds(TokenPlan, methods, ratios | numbers, some_blocks | st.just(())),
    st.builds(TokenPlan, methods, explicit()),
)
resizings = st.builds(ResizePlan, st.sampled_from(["resolution", "patch"]), st.integers(1, 4096))


@given(st.lists(plans | resizings | st.just(AUTO), min_size=1, max_size=5, unique=True))
def test_plans_are_written_as_they_are_read(several: list[TokenPlan | ResizePlan | str]) -> None:
    assert parse_plans(",".join(map(str, several))) == tuple(several)
    for plan in several:
        if not isinstance(plan, str):
            assert not set(plan.slug) & set("/\\:@, ")


@given(plans, st.integers(1, 400), st.integers(1, 50))
def test_sites_rise_and_their_tokens_fall(plan: TokenPlan, patches: int, depth: int) -> None:
    """Whatever is not refused can be carried out."""
    try:
        sites = plan.sites(patches, depth)
    except UsageError:
        return
    assert all(one.block < next_.block <= depth for one, next_ in itertools.pairwise(sites))
    before = patches
    for site in sites:
        assert 1 <= site.tokens < before
        assert plan.method != "tome" or 2 * site.tokens >= before
        assert plan.method != "evit_fused" or site.tokens >= 2
        before = site.tokens


@given(ratios, some_blocks, st.integers(1, 5000))
def test_a_ratio_is_refused_by_no_model(schedule: KeepRatio, blocks: tuple[int, ...], patches: int) -> None:
    """And leaves the least number that is no smaller share."""
    after = {site.block: site.tokens for site in TokenPlan("evit", schedule, blocks).sites(patches, 50)}
    before = patches
    for block in blocks:
        kept = after.get(block, before)
        assert kept - 1 < before * schedule.ratio <= kept
        before = kept


def test_plans_in_words() -> None:
    plan = parse_plan("evit:0.70@4,7,10")
    assert plan == TokenPlan("evit", KeepRatio(Fraction(7, 10)), (4, 7, 10))
    assert (str(plan), plan.slug) == ("evit:0.7@4,7,10", "evit-0.7-4-7-10")
    assert parse_plan("evit:.5") == TokenPlan("evit", KeepRatio(Fraction(1, 2)))
    assert parse_plan("tome:8") == TokenPlan("tome", RemoveEach(8))
    assert parse_plan("squeeze:4=150,7=100") == TokenPlan("squeeze", (Site(4, 150), Site(7, 100)))


def test_slugs_of_long_plans_are_short_and_differ() -> None:
    """A stage of a run has a file name, of at most 255 letters with what is put around it, that may hold two slugs."""
    counts = range(60, 36, -1)
    plans = [
        TokenPlan("evit_fused", tuple(Site(block, count - less) for block, count in enumerate(counts, start=1)))
        for less in (0, 1)
    ]
    slugs = {plan.slug for plan in plans}
    assert len(slugs) == 2
    assert all(re.fullmatch(r"evit_fused-1=[0-9=-]+-[0-9a-f]{8}", slug) and len(slug) <= 64 for slug in slugs)


@pytest.mark.parametrize("form", ["gather", "arithmetic"])
@pytest.mark.parametrize("plans", ["none", "resolution:192", "resolution:192,patch:20"])
def test_a_form_without_a_plan_that_picks_tokens_is_refused(form: str, plans: str) -> None:
    check_form("auto", parse_plans(plans))
    with pytest.raises(UsageError, match=f"--form {form} selects the export form, and no plan here reduces tokens"):
        check_form(form, parse_plans(plans))


@pytest.mark.parametrize("plans", ["auto", "evit:0.7", "resolution:192,tome:8"])
def test_a_form_with_one_is_not(plans: str) -> None:
    check_form("arithmetic", parse_plans(plans))


def test_several_plans() -> None:
    given = "evit:0.7@4,7,10,auto,tome:8,squeeze:4=150,7=100,resolution:192,patch:20"
    assert parse_plans(given) == (
        parse_plan("evit:0.7@4,7,10"),
        AUTO,
        parse_plan("tome:8"),
        parse_plan("squeeze:4=150,7=100"),
        ResizePlan("resolution", 192),
        ResizePlan("patch", 20),
    )
    assert parse_plans("none") == ()
    assert parse_plans("none,evit:0.7") == parse_plans("evit:0.7,none") == parse_plans("evit:0.7")
    assert parse_plans(" evit:0.7@4,7 , tome:8\n") == (parse_plan("evit:0.7@4,7"), parse_plan("tome:8"))
    assert ResizePlan("resolution", 192).slug == "resolution-192"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a token plan: ''"),
        ("evit", "not a token plan"),
        ("evit:", "not a token plan"),
        ("evit:0.7@", "not a token plan"),
        ("evit:0.7@4,", "not a token plan"),
        ("evit:-0.7@4", "not a token plan"),
        ("evit:-8", "not a token plan"),
        ("evit:nan@4", "not a token plan"),
        ("evit:.@4", "not a token plan"),
        ("evit:0.7.1@4", "not a token plan"),
        ("evit:1e-1@4", "not a token plan"),
        ("evit:٣", "not a token plan"),
        ("evit:4=", "not a token plan"),
        ("evit:4=10@3", "not a token plan"),
        ("resolution:0.5", "not a token plan"),
        ("resolution:0", "not a token plan"),
        ("resolution:192@4", "not a token plan"),
        ("evit:0.7,", "not a token plan"),
        ("evti:0.7@4", "unknown token reduction method: 'evti'"),
        ("evit:0.7,resolutoin:192", "unknown token reduction method: 'resolutoin'"),
        ("evit:0@4", "between 0 and 1"),
        ("evit:0.0", "between 0 and 1"),
        ("evit:1.0@4", "not a token plan|between 0 and 1"),
        ("evit:0.7@0", "must rise"),
        ("evit:0.7@4,4", "must rise"),
        ("evit:0.7@7,4", "must rise"),
        ("evit:0=10", "must rise"),
        ("evit:7=100,4=50", "must rise"),
        ("evit:4=100,7=100", "counts must fall"),
        ("evit:4=100,7=120", "counts must fall"),
        ("evit:4=100,7=0", "counts must fall"),
        ("evit:0.7,tome:8,evit:0.70", "token plan evit:0.7 is given twice"),
        ("auto,auto", "token plan auto is given twice"),
    ],
)
def test_what_is_no_plan_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_plans(text)


def test_hints() -> None:
    with pytest.raises(UsageError) as caught:
        parse_plans("evti:0.7")
    assert "did you mean evit" in str(caught.value.hint)
    with pytest.raises(UsageError) as caught:
        parse_plans("evit:1.0")
    assert "an integer ≥ 1, such as 8, is how many tokens are removed" in str(caught.value.hint)
    with pytest.raises(UsageError) as caught:
        parse_plans("evit:half")
    for example in str(caught.value.hint).removeprefix("such as ").replace("or none", "none").split(", "):
        parse_plans(example)


def test_a_smaller_image_and_fewer_tokens_are_one_plan() -> None:
    (plan, other) = parse_plans("resolution:208+tome:4=110,7=66,10=40,evit:0.7")
    assert plan == replace(parse_plan("tome:4=110,7=66,10=40"), resized=ResizePlan("resolution", 208))
    assert other == parse_plan("evit:0.7")
    assert str(plan) == "resolution:208+tome:4=110,7=66,10=40"
    assert not isinstance(plan, str)
    assert plan.slug == "resolution-208-tome-4=110-7=66-10=40"
    assert parse_plans(str(plan)) == (plan,)


@pytest.mark.parametrize(
    "text", ["tome:8+resolution:208", "resolution:208+patch:20", "tome:8+evit:0.7", "auto+tome:8", "resolution:208+"]
)
def test_plans_are_combined_in_one_order(text: str) -> None:
    with pytest.raises(UsageError, match="token plan"):
        parse_plans(text)


def test_a_plan_that_resizes_too_is_not_one_for_the_model_in_its_own_size() -> None:
    with pytest.raises(UsageError, match="changes the size of the image, too") as caught:
        parse_plan("resolution:208+tome:8")
    assert "tome:8" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["auto", "none", "resolution:192", "evit:0.7,tome:8"])
def test_one_token_plan_is_one(text: str) -> None:
    with pytest.raises(UsageError, match="not one token plan"):
        parse_plan(text)


@pytest.mark.parametrize(
    ("text", "resized"),
    [
        ("tome:8", None),
        ("resolution:208", ResizePlan("resolution", 208)),
        ("resolution:208+tome:4=110,7=66", ResizePlan("resolution", 208)),
    ],
)
def test_one_plan_of_any_kind(text: str, resized: ResizePlan | None) -> None:
    plan = parse_any_plan(text)
    assert str(plan) == text
    assert resizing_of(plan) == resized


@pytest.mark.parametrize("text", ["none", "auto", "tome:8,resolution:208"])
def test_what_is_not_one_plan(text: str) -> None:
    with pytest.raises(UsageError, match="not one plan"):
        parse_any_plan(text)
