"""Plans as the table of candidates names them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.report.plans import plan_labels, plan_of
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Candidate
from tests.factories import make_candidate, make_run


def reduced(variant: str, *passes: tuple[str, str]) -> Candidate:
    records = tuple(PassRecord(name, settings, 2, 1) for name, settings in passes)
    return replace(make_candidate(), id=f"litert/fp32/{variant}", passes=records)


@pytest.mark.parametrize(
    ("candidate", "plan"),
    [
        (make_candidate(), "dense"),
        (reduced("dense", ("distill", "teacher digits_cnn")), "dense"),
        (reduced("dense-quick", ("finetune", "quick")), "dense tuned quick"),
        (reduced("resolution-26", ("resize", "resolution:26")), "resolution:26"),
        (reduced("evit-0.7-2-4-gather", ("reduce_tokens", "evit:0.7@2,4")), "evit:0.7@2,4 gather"),
        (
            reduced("tome-4=118-arithmetic-full", ("reduce_tokens", "tome:4=118"), ("finetune", "full")),
            "tome:4=118 arithmetic tuned full",
        ),
    ],
)
def test_a_plan_is_as_a_user_writes_it_with_its_form_and_tuning(candidate: Candidate, plan: str) -> None:
    assert plan_of(candidate) == plan


def test_only_long_plans_have_labels_and_equal_plans_the_same() -> None:
    long = reduced("a-gather", ("reduce_tokens", "squeeze:4=159,6=103,10=63"))
    other = reduced("b-gather", ("reduce_tokens", "resolution:22+squeeze:2=71"))
    twin = replace(long, id="openvino/fp32/a-gather")
    assert plan_labels(make_run(make_candidate(), long, twin, other)) == {
        "squeeze:4=159,6=103,10=63 gather": "squeeze p1",
        "resolution:22+squeeze:2=71 gather": "resolution p2",
    }
