"""Pruning plans as users write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.errors import UsageError
from edgevit.spec.pruning_plan import PruningPlan, parse_pruning


@pytest.mark.parametrize(
    ("text", "plan", "slug"),
    [
        ("mlp=0.25", PruningPlan(mlp=0.25), "prune-mlp-0.25"),
        ("heads=4", PruningPlan(heads=4), "prune-heads-4"),
        ("channels=0.2", PruningPlan(channels=0.2), "prune-channels-0.2"),
        ("macs=0.8", PruningPlan(macs=0.8), "prune-macs-0.8"),
        ("heads=4, mlp=0.125", PruningPlan(mlp=0.125, heads=4), "prune-mlp-0.125-heads-4"),
    ],
)
def test_plans(text: str, plan: PruningPlan, slug: str) -> None:
    assert parse_pruning(text) == plan
    assert plan.slug == slug


def test_words() -> None:
    assert (parse_pruning("none"), parse_pruning("auto")) == (None, "auto")


@given(st.integers(1, 500), st.integers(1, 99))
def test_text_reads_back(thousandths: int, heads: int) -> None:
    for plan in (PruningPlan(mlp=thousandths / 1000), PruningPlan(heads=heads, channels=thousandths / 1000)):
        assert parse_pruning(str(plan)) == plan


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mlp", "mlp needs a number"),
        ("mlp=", "mlp needs a number"),
        ("mlp=a", "mlp needs a number, not 'a'"),
        ("mlp=0", "share above 0"),
        ("mlp=0.9", "up to 0.5"),
        ("mlp=-1", "needs a number"),
        ("heads=0", "1 or more"),
        ("heads=1.5", "1 or more"),
        ("mlp=0.1,mlp=0.2", "given twice"),
        ("macs=0.4", "from 0.5, below 1"),
        ("macs=1", "from 0.5, below 1"),
        ("macs=0.8,heads=1", "macs chooses all there is together"),
        ("", "what to prune"),
        ("mlps=0.1", "what to prune"),
        ("auto,mlp=0.1", "what to prune"),
    ],
)
def test_the_rest_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_pruning(text)
