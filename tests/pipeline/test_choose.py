"""The choice: the fastest usable candidate, and which of several forms a backend goes on with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.pipeline.choose import choose, choose_form, lost_by_integers
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Attempt, Candidate
from edgevit.spec.recipe import Recipe
from tests.factories import make_candidate, make_measurement, make_prediction

A, B, C = "a/fp32/dense", "b/fp32/dense", "c/fp32/dense"


def test_nothing_to_choose_from() -> None:
    assert choose(()) is None
    unusable = (
        make_candidate(A, status="failed"), make_candidate(B, status="rejected"), make_candidate(C, p50_ms=None),
    )  # fmt: skip
    assert choose(unusable) is None


def test_the_fastest_usable_one() -> None:
    candidates = (
        make_candidate(A, p50_ms=3.0), make_candidate(B, p50_ms=2.0), make_candidate(C, p50_ms=1.0, status="rejected"),
    )  # fmt: skip
    assert choose(candidates) == B


def test_a_measurement_elsewhere_does_not_count() -> None:
    elsewhere = make_candidate(A, p50_ms=None, measurements=(make_measurement(0.1, device="raspberry-pi-5"),))
    assert choose((elsewhere,)) is None
    assert choose((elsewhere, make_candidate(B, p50_ms=9.0))) == B


candidates = st.lists(
    st.builds(
        lambda name, ms, status: make_candidate(f"{name}/fp32/dense", p50_ms=ms, status=status),
        st.sampled_from("abcdefgh"),
        st.sampled_from([1.0, 2.0, 3.0]),
        st.sampled_from(["ok", "ok", "rejected", "failed"]),
    ),
    unique_by=lambda candidate: candidate.id,
)


@given(candidates, st.randoms())
def test_the_order_does_not_matter_and_none_is_faster(found: list[Candidate], random: object) -> None:
    chosen = choose(tuple(found))
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(tuple(shuffled)) == chosen
    usable = {candidate.id: candidate.p50_ms for candidate in found if candidate.status == "ok"}
    assert (chosen is None) == (not usable)
    if chosen is not None:
        assert usable[chosen] == min(usable.values(), key=float)  # type: ignore[arg-type]
        assert chosen == min(name for name, ms in usable.items() if ms == usable[chosen])


FAST, SLOW, OTHER = "a/fp32/evit-gather", "a/fp32/evit-arithmetic", "a/fp32/evit-third"


def form(name: str, speed_up: float | None, missing: tuple[tuple[str, ...], ...] = (), **changes: Any) -> Candidate:
    """One form of a variant; ``missing`` are the ops that each device of the run lacks."""
    predictions = tuple(make_prediction(1.0, 2.0, unsupported_ops=ops) for ops in missing)
    return make_candidate(name, speed_up=speed_up, predictions=predictions, parent="a/fp32/dense", **changes)


def outcome(*alternatives: Candidate) -> list[tuple[str, tuple[str, ...]]]:
    return [(candidate.status, candidate.reasons) for candidate in choose_form(alternatives)]


def test_of_two_forms_the_faster_stays_and_the_reason_names_it() -> None:
    slow, fast = form(SLOW, 1.2), form(FAST, 1.5)
    chosen = choose_form((slow, fast))
    assert chosen[1] is fast
    assert (chosen[0].id, chosen[0].status, chosen[0].speed_up) == (SLOW, "rejected", 1.2)
    assert chosen[0].reasons == (
        f"{FAST} computes the same and is faster: 1.50 × against 1.20 × the speed of a/fp32/dense",
    )


def test_measured_speed_counts_not_two_medians_taken_apart() -> None:
    assert outcome(form(FAST, 1.5, p50_ms=9.0), form(SLOW, 1.2, p50_ms=1.0))[0] == ("ok", ())


def test_ops_that_devices_have_beat_speed() -> None:
    """Summed over the devices, in kinds of ops; the slower one of them all stays."""
    fast = form(FAST, 2.0, missing=(("TopK", "Gather"), ()))
    middle = form(OTHER, 1.5, missing=(("TopK",), ()))
    slow = form(SLOW, 0.8, missing=((), ()))
    assert outcome(fast, middle, slow) == [
        ("rejected", (f"{SLOW} computes the same with ops that more of the devices have",)),
        ("rejected", (f"{SLOW} computes the same with ops that more of the devices have",)),
        ("ok", ()),
    ]
    assert [status for status, _ in outcome(fast, middle)] == ["rejected", "ok"]


def test_among_forms_with_the_same_ops_missing_speed_counts() -> None:
    both = (form(FAST, 2.0, missing=(("Softmax",),)), form(SLOW, 1.5, missing=(("Softmax",),)))
    status, reasons = outcome(*both)[1]
    assert (status, reasons[0].startswith(f"{FAST} computes the same and is faster: 2.00 ×")) == ("rejected", True)


def test_a_form_that_failed_after_it_was_measured_is_no_alternative() -> None:
    """Of one whose prediction failed it is not known what the devices lack."""
    failed, fine = form(FAST, 2.0, status="failed"), form(SLOW, 1.5, (("TOPK_V2 (1 x)",),))
    assert outcome(failed, fine) == [("failed", ()), ("ok", ())]


def test_a_form_that_was_not_measured_is_no_alternative() -> None:
    failed = form(SLOW, None, status="failed", reasons=("it crashed",))
    assert choose_form((failed, form(FAST, 0.5))) == (failed, form(FAST, 0.5))
    other = form(OTHER, 0.7)
    assert outcome(failed, form(FAST, 0.5), other) == [
        ("failed", ("it crashed",)),
        ("rejected", (f"{OTHER} computes the same and is faster: 0.70 × against 0.50 × the speed of a/fp32/dense",)),
        ("ok", ()),
    ]


def test_forms_rejected_for_accuracy_are_compared_all_the_same() -> None:
    """Both lose the same; one of them is where quantization would start."""
    lossy: dict[str, Any] = {"status": "rejected", "reasons": ("drops 9 points, 1 allowed",)}
    slow, fast = outcome(form(SLOW, 1.2, **lossy), form(FAST, 1.5, **lossy))
    assert fast == ("rejected", ("drops 9 points, 1 allowed",))
    assert slow[1][0] == "drops 9 points, 1 allowed"
    assert slow[1][1].startswith(f"{FAST} computes the same and is faster")


def test_one_form_alone_stays_as_it_is() -> None:
    only = form(SLOW, 0.5, missing=(("TopK",),))
    assert choose_form((only,)) == (only,)
    assert choose_form(()) == ()


@pytest.mark.parametrize(("slower", "status"), [(1.5, "ok"), (1.36, "ok"), (1.34, "rejected")])
def test_forms_as_fast_but_for_a_tenth_both_stay(slower: float, status: str) -> None:
    for order in ((form(FAST, 1.5), form(SLOW, slower)), (form(SLOW, slower), form(FAST, 1.5))):
        found = {candidate.id: candidate.status for candidate in choose_form(order)}
        assert found == {FAST: "ok", SLOW: status}


def test_forms_as_fast_are_told_apart_by_what_devices_lack() -> None:
    found = choose_form((form(FAST, 1.5, missing=(("TopK",),)), form(SLOW, 1.5, missing=((),))))
    assert [candidate.status for candidate in found] == ["rejected", "ok"]


PLAN = "squeeze:4=127"


def integers(*lost: float | None, plan: str = PLAN, scheme: str = "static_wi8_ai8") -> Candidate:
    """A candidate by a token plan, or without one, with what each attempt at it lost."""
    attempts = tuple(Attempt("policy", Recipe(scheme), None, None, points, 1.0) for points in lost)
    distilled = PassRecord("distill", "5 epochs", 10, 10)
    passes = (distilled, PassRecord("reduce_tokens", plan, 10, 5)) if plan else (distilled,)
    return make_candidate(f"a/{scheme}/squeeze", scheme=scheme, passes=passes, attempts=attempts)


@pytest.mark.parametrize(
    ("candidates", "lost"),
    [
        ((), False),
        ((integers(1.6),), True),
        ((integers(1.5),), False),  # the limit itself is kept
        ((integers(1.6, 1.4),), False),  # one attempt held
        ((integers(1.6, None),), True),  # and one could not be made
        ((integers(None),), False),  # nothing is known
        ((integers(1.6), integers(1.2)), False),  # one form holds
        ((integers(1.6), integers(1.2, plan="tome:8")), True),  # another plan holds
        ((integers(1.6, scheme="bf16"),), False),
        ((integers(1.6), integers(1.2, scheme="bf16")), True),
        ((integers(1.6), integers(1.7, plan="")), False),  # without a plan too, so that none would help
    ],
)  # fmt: skip
def test_integers_of_a_plan_lose_too_much_if_none_of_them_holds(candidates: tuple[Candidate, ...], lost: bool) -> None:
    assert lost_by_integers(candidates, PLAN, 1.5) == lost
