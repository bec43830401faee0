"""Every reason to reject a candidate, the choice, and which of several forms a backend goes on with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.pipeline.choose import (
    Limits,
    choose,
    counted_drop,
    ends_policy,
    int8_exceeds_budget,
    judge,
    may_keep_budget,
    misses_budget,
    rank_by_rounds,
    reject_worse_forms,
)
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Accuracy, Attempt, Candidate, Contribution, Verification
from edgevit.results.measurement import HOST, Interval, RoundLatency
from edgevit.results.metric import MetricScore
from edgevit.results.predicted_order import PredictedOrder
from edgevit.results.statistics import paired_ratio
from edgevit.spec.recipe import Recipe
from tests.factories import make_artifact, make_candidate, make_latency, make_measurement, make_prediction

PARENT = "onnxruntime/fp32/dense"
INT8 = "onnxruntime/dynamic_wi8_afp32/dense"
STATIC = "onnxruntime/static_wi8_ai8/dense"
LIMITS = Limits(1.0)


def verdict(
    candidate: Candidate, parent: Candidate | None = None, limits: Limits = LIMITS
) -> tuple[str, tuple[str, ...]]:
    judged = judge(candidate, parent, limits)
    return judged.status, judged.reasons


def accurate(drop: float | None = None, agreement: float | None = None) -> Accuracy:
    """On labelled images where there is a drop, else on images without labels, or made-up ones."""
    return Accuracy(None if drop is None else 0.9 - drop / 100, None, 100, drop, agreement)


# Failed: it differs from the model it came from.


def test_a_difference_from_the_origin_fails_and_says_by_how_much() -> None:
    verification = Verification("pytorch", 0.3, 0.01, 40.0, 0.995, 200, False)
    expected = "differs from pytorch by 1.0e-02 (relative), top-1 agreement 0.9950 on 200 images"
    assert verdict(make_candidate(PARENT, verification=verification)) == ("failed", (expected,))
    undecided = replace(verification, undecided=3)
    assert verdict(make_candidate(PARENT, verification=undecided))[1] == (
        f"{expected}, 3 images left out as undecided",
    )
    assert verdict(make_candidate(PARENT, verification=replace(verification, passed=True))) == ("ok", ())


# Rejected: it loses too much accuracy.


@pytest.mark.parametrize(
    ("accuracy", "max_drop", "reasons"),
    [
        (accurate(drop=1.0, agreement=0.5), 1.0, ()),  # the limit itself is kept; with labels agreement is no reason
        (accurate(drop=-2.0), 0.0, ()),
        (accurate(drop=100 * (0.95 - 0.94)), 1.0, ()),  # 1.0000000000000009
        (accurate(drop=25.0), 24.9, ("drops 25.0 points, 24.9 allowed",)),
        (accurate(agreement=0.75), 25.0, ()),
        (accurate(agreement=0.75), 1, ("disagrees with the float model on 25.0 % of the images, 1 % allowed",)),
    ],
)
def test_the_accuracy_drop_is_a_limit(accuracy: Accuracy, max_drop: float, reasons: tuple[str, ...]) -> None:
    found = verdict(make_candidate(INT8, accuracy=accuracy, p50_ms=None), limits=Limits(max_drop))
    assert found == ("rejected" if reasons else "ok", reasons)


def test_a_limit_that_is_met_only_within_noise_says_so_and_is_met() -> None:
    noisy = replace(accurate(drop=0.4), drop_interval=Interval(-0.5, 1.3))
    assert verdict(make_candidate(INT8, accuracy=noisy)) == (
        "ok",
        ("the limit of 1 points is met only within noise: drops 0.4 points (-0.5 to 1.3)",),
    )
    assert verdict(make_candidate(INT8, accuracy=replace(noisy, drop_interval=Interval(-0.5, 1.0)))) == ("ok", ())


def test_a_dense_float_model_loses_nothing_however_few_images_there_are() -> None:
    noisy = replace(accurate(drop=0.0), drop_interval=Interval(-2.0, 2.0))
    assert verdict(make_candidate(PARENT, accuracy=noisy)) == ("ok", ())


def test_a_limit_that_is_missed_is_missed_also_within_noise() -> None:
    noisy = replace(accurate(drop=1.4), drop_interval=Interval(0.4, 2.4))
    assert verdict(make_candidate(INT8, accuracy=noisy)) == (
        "rejected",
        ("drops 1.4 points (0.4 to 2.4), 1 allowed",),
    )


def test_of_several_attempts_the_reason_says_how_many() -> None:
    attempts = tuple(Attempt(f"rung {n}", Recipe("static_wi8_ai8"), None, None, 5.0, 1.0) for n in range(3))
    candidate = make_candidate(STATIC, accuracy=accurate(drop=5.0), attempts=attempts)
    assert verdict(candidate) == ("rejected", ("drops 5.0 points, 1 allowed; best of 3 attempts",))
    assert "best of" not in verdict(replace(candidate, attempts=attempts[:1]))[1][0]
    assert verdict(replace(candidate, accuracy=accurate()))[1][0].endswith("; best of 3 attempts")


def test_without_images_only_what_loses_nothing_may_be_chosen() -> None:
    unknown = ("rejected", ("accuracy unknown: give images with --data or --calibration",))
    assert verdict(make_candidate(PARENT, accuracy=accurate())) == ("ok", ())
    assert verdict(make_candidate(INT8, accuracy=accurate())) == unknown
    reduced = (PassRecord("reduce_tokens", "evit:0.7@1", 10, 7),)
    assert verdict(make_candidate("onnxruntime/fp32/evit", accuracy=accurate(), passes=reduced)) == unknown


def test_what_counts_against_the_budget() -> None:
    assert counted_drop(accurate(drop=0.5, agreement=0.9)) == 0.5
    assert counted_drop(accurate(agreement=0.75)) == 25.0
    assert counted_drop(accurate()) is None


# Rejected: it is not faster than its float parent.


def compared(name: str, float_ms: float, ms: float, **changes: Any) -> Candidate:
    """Measured alone, and interleaved with its parent."""
    step = Contribution("quantize", "int8", 10, 10, float_ms, ms, None)
    values: dict[str, Any] = {"speed_up": float_ms / ms, "contributions": (step,), "p50_ms": ms} | changes
    return make_candidate(name, parent=PARENT, **values)


SLOWER = "slower than onnxruntime/fp32/dense: {} ms against 10 ms ({} ×, interleaved)"


@pytest.mark.parametrize(
    ("ms", "reasons"),
    [(9.9, ()), (10.0, (SLOWER.format(10, "1.00"),)), (15.0, (SLOWER.format(15, "0.67"),))],
)
def test_what_is_not_faster_than_its_parent_is_rejected(ms: float, reasons: tuple[str, ...]) -> None:
    found = verdict(compared(INT8, 10.0, ms), make_candidate(PARENT, p50_ms=10.0))
    assert found == ("rejected" if reasons else "ok", reasons)


def test_interleaved_runs_decide_not_two_medians_taken_apart() -> None:
    """Other work on the host made the measurement alone slow."""
    candidate = compared(INT8, 10.0, 5.0, p50_ms=30.0)
    assert verdict(candidate, make_candidate(PARENT, p50_ms=10.0)) == ("ok", ())


def test_the_reason_tells_what_may_make_it_slow() -> None:
    slow = make_measurement(20.0)
    slow = replace(slow, conditions=replace(slow.conditions, delegate="XNNPACK, 122 partitions"))
    artifact = replace(make_artifact("a.tflite"), conversions=50, float_layer_count=3)
    candidate = compared(STATIC, 10.0, 20.0, measurements=(slow,), artifact=artifact)
    parent = make_candidate(PARENT, p50_ms=10.0)
    ((reason,),) = (verdict(candidate, parent)[1],)
    for words in (
        "runs as XNNPACK, 122 partitions against",
        "50 conversions between number formats",
        "3 layers in float",
    ):
        assert words in reason


def test_what_is_for_another_device_may_be_slow_here() -> None:
    parent, limits = make_candidate(PARENT, p50_ms=10.0), Limits(1.0, for_device=True)
    status, (reason,) = verdict(compared(STATIC, 10.0, 20.0), parent, limits)
    assert status == "ok"
    assert reason.startswith("slower than onnxruntime/fp32/dense")
    assert reason.endswith("no reason to reject it: the choice is not for this host")
    lossy = compared(STATIC, 10.0, 20.0, accuracy=accurate(drop=9.0))
    assert verdict(lossy, parent, limits)[0] == "rejected"


def test_what_cannot_be_compared_is_rejected() -> None:
    candidate = make_candidate(INT8, parent=PARENT, p50_ms=1.0)
    parent = make_candidate(PARENT, p50_ms=None, status="failed")
    assert verdict(candidate, parent) == ("rejected", (f"cannot be compared: {PARENT} was not measured",))


def test_what_is_not_compared_yet_is_not_judged() -> None:
    """Its parent was rejected for its accuracy, and is not measured before the final round."""
    candidate = make_candidate(INT8, parent=PARENT, p50_ms=1.0)
    assert verdict(candidate, make_candidate(PARENT, p50_ms=None, status="rejected")) == ("ok", ())


def test_a_dense_float_one_needs_no_comparison_nor_does_what_was_not_measured() -> None:
    assert verdict(make_candidate(PARENT, p50_ms=1.0)) == ("ok", ())
    assert verdict(make_candidate(INT8, p50_ms=None), make_candidate(PARENT)) == ("ok", ())


def test_reasons_add_up_and_judging_again_changes_nothing() -> None:
    candidate = compared(INT8, 10.0, 20.0, accuracy=accurate(drop=9.0))
    parent = make_candidate(PARENT, p50_ms=10.0)
    judged = judge(candidate, parent, LIMITS)
    assert [reason.split()[0] for reason in judged.reasons] == ["drops", "slower"]
    assert judge(judged, parent, LIMITS) == judged


@pytest.mark.parametrize(
    ("status", "parent", "ends"),
    [("ok", "ok", True), ("rejected", "ok", False), ("failed", "ok", False), ("rejected", "rejected", True)],
)
def test_the_policy_goes_on_where_a_scheme_spoiled_a_usable_float_model(status: Any, parent: Any, ends: bool) -> None:
    assert ends_policy(make_candidate(INT8, status=status), make_candidate(PARENT, status=parent)) == ends


# The final round.

CALM = (10.0, 10.1, 9.9, 10.0, 10.05, 9.95, 10.0)


def rounds(**factors: float | tuple[float, ...]) -> dict[str, RoundLatency]:
    """Latencies by scheme, each a factor on the same drifting ones, or a factor for each round."""
    drift = (1.0, 1.5, 0.9, 1.2, 1.0, 2.0, 1.1)
    found = {}
    for scheme, factor in factors.items():
        each = factor if isinstance(factor, tuple) else (factor,) * len(drift)
        bursts = tuple(ms * own * slow for ms, own, slow in zip(CALM, each, drift, strict=True))
        found[f"onnxruntime/{scheme}/dense"] = make_latency(*bursts)
    return found


def test_the_speed_up_is_the_median_of_the_paired_ratios() -> None:
    """The host drifts by a factor of two, the ratio of two neighbours does not."""
    candidates = (make_candidate(PARENT, p50_ms=99.0), compared(INT8, 10.0, 20.0, status="rejected"))
    latencies = rounds(fp32=1.0, dynamic_wi8_afp32=0.5)
    parent, child = rank_by_rounds(candidates, latencies, LIMITS)
    assert (parent.latency, child.latency) == (latencies[PARENT], latencies[INT8])
    assert (parent.speed_up, parent.speed_up_interval) == (None, None)
    expected = paired_ratio(latencies[PARENT].bursts_ms, latencies[INT8].bursts_ms)
    assert child.speed_up == expected.median == pytest.approx(2.0)
    assert child.speed_up_interval == expected.interval
    assert child.p50_ms == latencies[INT8].p50_ms
    assert child.contributions[0].ms_after == 20.0  # the first comparison stays


def test_what_the_round_shows_to_be_faster_or_slower_is_judged_again() -> None:
    first = judge(compared(INT8, 10.0, 20.0), make_candidate(PARENT, p50_ms=10.0), LIMITS)
    assert first.status == "rejected"
    candidates = (make_candidate(PARENT, p50_ms=10.0), first, compared(STATIC, 10.0, 5.0))
    _, faster, slower = rank_by_rounds(candidates, rounds(fp32=1.0, dynamic_wi8_afp32=0.8, static_wi8_ai8=1.25), LIMITS)
    assert (faster.status, faster.reasons) == ("ok", ())
    assert slower.status == "rejected"
    assert slower.reasons == ("slower than onnxruntime/fp32/dense: 0.80 × its speed (0.80 to 0.80) in the same rounds",)
    device = rank_by_rounds(candidates, rounds(fp32=1.0, static_wi8_ai8=1.25), Limits(1.0, for_device=True))
    assert device[2].status == "ok"
    assert device[2].reasons[0].endswith("no reason to reject it: the choice is not for this host")


def test_what_the_round_cannot_tell_from_its_parent_is_not_faster() -> None:
    same = (1.01, 0.99, 1.02, 0.98, 1.01, 1.0, 1.01)
    latencies = rounds(fp32=1.0, static_wi8_ai8=same)
    judged = rank_by_rounds((make_candidate(PARENT), compared(STATIC, 10.0, 5.0)), latencies, LIMITS)[1]
    assert judged.reasons[0].startswith("not faster than onnxruntime/fp32/dense: 0.99 × its speed (0.99 to 1.01)")


def test_other_reasons_to_reject_stay() -> None:
    reason = "b computes the same and is faster: 1.50 × against 1.20 × the speed of onnxruntime/fp32/dense, as first compared"
    worse = compared(INT8, 10.0, 20.0, status="rejected", reasons=(SLOWER.format(20, "0.50"), reason))
    judged = rank_by_rounds((make_candidate(PARENT), worse), rounds(fp32=1.0, dynamic_wi8_afp32=0.5), LIMITS)[1]
    assert (judged.status, judged.reasons) == ("rejected", (reason,))


def test_reasons_that_do_not_reject_stay_and_do_not_reject() -> None:
    noisy = replace(accurate(drop=0.4), drop_interval=Interval(-0.5, 1.3))
    child = judge(compared(INT8, 10.0, 5.0, accuracy=noisy), make_candidate(PARENT), LIMITS)
    judged = rank_by_rounds((make_candidate(PARENT), child), rounds(fp32=1.0, dynamic_wi8_afp32=0.5), LIMITS)[1]
    assert (judged.status, judged.reasons) == ("ok", child.reasons)
    assert len(judged.reasons) == 1


def test_what_had_no_part_in_the_round_stays_as_it_is() -> None:
    candidates = (make_candidate(PARENT), compared(STATIC, 10.0, 5.0), make_candidate(INT8, status="failed"))
    assert rank_by_rounds(candidates, {}, LIMITS) == candidates
    only = rank_by_rounds(candidates, rounds(static_wi8_ai8=1.0), LIMITS)[1]
    assert (only.speed_up, only.speed_up_interval) == (2.0, None)  # its parent could not be timed: as first compared


def test_the_order_of_candidates_does_not_matter() -> None:
    candidates = (make_candidate(PARENT), compared(STATIC, 10.0, 5.0))
    latencies = rounds(fp32=1.0, static_wi8_ai8=0.5)
    assert rank_by_rounds(candidates[::-1], latencies, LIMITS) == rank_by_rounds(candidates, latencies, LIMITS)[::-1]


# The choice.

A, B, C = "a/fp32/dense", "b/fp32/dense", "c/fp32/dense"


def chosen_of(candidates: tuple[Candidate, ...]) -> str | None:
    return choose(candidates).selected


def test_nothing_to_choose_from() -> None:
    nothing = choose(())
    assert (nothing.selected, nothing.selected_for, nothing.tied, nothing.notes) == (None, {HOST: None}, {HOST: ()}, ())
    unusable = (
        make_candidate(A, status="failed"), make_candidate(B, status="rejected"), make_candidate(C, p50_ms=None),
    )  # fmt: skip
    assert chosen_of(unusable) is None
    assert choose(unusable).notes == ("no usable candidate was measured",)
    assert choose(unusable[:2]).notes == ("no candidate is usable: each was rejected or failed, for the reasons given",)
    assert choose(unusable[2:]).notes == ()  # an export, which is not to choose


def test_without_a_final_round_the_fastest_usable_one() -> None:
    candidates = (
        make_candidate(A, p50_ms=3.0), make_candidate(B, p50_ms=2.0), make_candidate(C, p50_ms=1.0, status="rejected"),
    )  # fmt: skip
    assert chosen_of(candidates) == B
    assert choose(candidates).tied == {HOST: ()}


def test_a_measurement_elsewhere_does_not_count() -> None:
    elsewhere = make_candidate(A, p50_ms=None, measurements=(make_measurement(0.1, device="raspberry-pi-5"),))
    assert chosen_of((elsewhere,)) is None
    assert chosen_of((elsewhere, make_candidate(B, p50_ms=9.0))) == B


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
    choice = choose(tuple(found))
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert choose(tuple(shuffled)) == choice
    usable = {candidate.id: candidate.p50_ms for candidate in found if candidate.status == "ok"}
    assert (choice.selected is None) == (not usable)
    if choice.selected is not None:
        least = min(usable.values(), key=float)  # type: ignore[arg-type]
        fastest = sorted(name for name, ms in usable.items() if ms == least)
        assert (choice.selected, *choice.tied[HOST]) == tuple(fastest)


def timed(name: str, factor: float | tuple[float, ...], top1: float = 0.8, **changes: Any) -> Candidate:
    """In a final round whose drift all share."""
    (latency,) = rounds(any=factor).values()
    return make_candidate(name, latency=latency, top1=top1, **changes)


NOISY = (1.02, 0.98, 1.03, 0.97, 1.01, 0.99, 1.02)


def test_the_fastest_in_the_same_rounds_is_chosen_not_the_one_with_the_lowest_median_taken_apart() -> None:
    first, second = timed(A, 1.0, p50_ms=9.0), timed(B, 0.8, p50_ms=12.0)
    choice = choose((first, second))
    assert (choice.selected, choice.tied) == (B, {HOST: ()})


def test_what_ties_with_the_fastest_is_chosen_for_its_accuracy() -> None:
    found = (timed(A, 1.0, top1=0.80), timed(B, NOISY, top1=0.82), timed(C, 1.2, top1=0.9))
    choice = choose(found)
    assert (choice.selected, choice.tied) == (B, {HOST: (A,)})
    assert choose(found[::-1]) == choice


def test_then_for_its_size_then_by_its_id() -> None:
    found = (timed(A, 1.0, size_bytes=9), timed(B, NOISY, size_bytes=8), timed(C, NOISY, size_bytes=8))
    choice = choose(found)
    assert choice.selected == B
    assert set(choice.tied[HOST]) == {A, C}


def test_without_labels_agreement_is_the_accuracy() -> None:
    found = (
        timed(A, 1.0, top1=None, accuracy=accurate(agreement=0.98)),
        timed(B, NOISY, top1=None, accuracy=accurate(agreement=0.99)),
    )
    assert chosen_of(found) == B


def test_five_percent_apart_in_calm_rounds_is_no_tie() -> None:
    slightly = tuple(1.05 * noise for noise in (1.01, 0.99, 1.0, 1.01, 0.99, 1.0, 1.0))
    choice = choose((timed(A, slightly, top1=0.99), timed(B, 1.0, top1=0.7)))
    assert (choice.selected, choice.tied) == (B, {HOST: ()})


def test_what_had_no_part_in_the_round_is_not_chosen() -> None:
    assert chosen_of((timed(A, 1.0), make_candidate(B, p50_ms=0.1))) == A


# The choice for a device.

PI, NPU = "raspberry-pi-5", "galaxy-s24-npu"
UNSUPPORTED: dict[str, Any] = {"latency_ms": None, "unsupported_ops": ("the format of .xml files",)}


def on(name: str, pi: float | None, npu: float | None = None, **changes: Any) -> Candidate:
    """Predicted medians on two devices; None where it does not run."""
    predictions = tuple(
        make_prediction(0.5 * ms, 1.5 * ms, device=device)
        if ms
        else make_prediction(1.0, 1.0, device=device, **UNSUPPORTED)
        for device, ms in ((PI, pi), (NPU, npu))
    )
    return make_candidate(name, predictions=predictions, **changes)


def test_only_what_runs_there_is_chosen_by_its_prediction_not_by_the_host() -> None:
    found = (on(A, None, p50_ms=1.0), on(B, 40.0, p50_ms=3.0), on(C, 30.0, p50_ms=9.0))
    choice = choose(found, (PI,))
    assert (choice.selected, choice.selected_for, choice.tied, choice.notes) == (C, {PI: C}, {PI: ()}, ())
    assert chosen_of(found) == A


def test_each_device_has_its_choice_and_the_first_is_the_runs() -> None:
    found = (on(A, 20.0, 9.0), on(B, 30.0, 3.0))
    assert choose(found, (PI, NPU)).selected_for == {PI: A, NPU: B}
    choice = choose(found, (NPU, PI))
    assert (list(choice.selected_for), choice.selected) == ([NPU, PI], B)


def test_where_nothing_runs_there_is_none_and_why() -> None:
    found = (on(A, 20.0), on(B, None), on(C, None, 5.0, status="rejected"))
    choice = choose(found, (PI, NPU))
    assert choice.selected_for == {PI: A, NPU: None}
    assert choice.tied == {PI: (), NPU: ()}
    assert choice.notes == (
        f"no usable candidate runs on {NPU}: {A}: the format of .xml files; {B}: the format of .xml files;"
        f" what runs there was rejected: {C}",
    )


def test_of_many_missing_ops_the_first_is_named() -> None:
    prediction = make_prediction(
        1.0, 1.0, latency_ms=None, unsupported_ops=("GELU (6 x)", "SOFTMAX (6 x)", "ADD (1 x)")
    )
    note = f"no usable candidate runs on {PI}: {A}: GELU (6 x) and 2 more"
    assert choose((make_candidate(A, predictions=(prediction,)),), (PI,)).notes == (note,)


def test_what_was_not_predicted_does_not_run() -> None:
    assert choose((make_candidate(A),), (PI,)).notes == (
        f"no usable candidate runs on {PI}: nothing was predicted for it",
    )


def test_predictions_tie_while_the_odds_are_less_than_two_to_one() -> None:
    """Whatever their intervals: these are mostly an error that all predictions share, which changes no order."""
    found = (on(A, 30.0, top1=0.80), on(B, 31.0, top1=0.82), on(C, 40.0, top1=0.9))
    order = PredictedOrder(A, {A: 0.55, B: 0.4, C: 0.05}, {A: 0.0, B: 0.66, C: 0.9})
    choice = choose(found, (PI,), {PI: order})
    assert (choice.selected, choice.tied) == (B, {PI: (A,)})
    surer = replace(order, slower={A: 0.0, B: 0.67, C: 0.9})
    assert choose(found, (PI,), {PI: surer}).tied == {PI: ()}


def test_where_the_order_is_not_known_only_equal_predictions_tie() -> None:
    found = (on(A, 30.0, top1=0.80), on(B, 30.0, top1=0.82), on(C, 30.1, top1=0.9))
    choice = choose(found, (PI,))
    assert (choice.selected, choice.tied) == (B, {PI: (A,)})


def test_a_candidate_slower_than_its_parent_here_may_be_the_choice_for_a_device() -> None:
    slow = judge(compared(STATIC, 10.0, 20.0), make_candidate(PARENT), Limits(1.0, for_device=True))
    predicted = replace(slow, predictions=(make_prediction(3.0, 9.0),))
    assert choose((on(PARENT, 30.0), predicted), (PI,)).selected == STATIC


FAST, SLOW, OTHER = "a/fp32/evit-gather", "a/fp32/evit-arithmetic", "a/fp32/evit-third"


def form(name: str, speed_up: float | None, missing: tuple[tuple[str, ...], ...] = (), **changes: Any) -> Candidate:
    """One form of a variant; ``missing`` are the ops that each device of the run lacks."""
    predictions = tuple(make_prediction(1.0, 2.0, unsupported_ops=ops) for ops in missing)
    return make_candidate(name, speed_up=speed_up, predictions=predictions, parent="a/fp32/dense", **changes)


def choose_form(alternatives: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """All of them, the worse ones rejected."""
    worse = reject_worse_forms(alternatives)
    return tuple(worse.get(candidate.id, candidate) for candidate in alternatives)


def outcome(*alternatives: Candidate) -> list[tuple[str, tuple[str, ...]]]:
    return [(candidate.status, candidate.reasons) for candidate in choose_form(alternatives)]


def test_of_two_forms_the_faster_stays_and_the_reason_names_it() -> None:
    slow, fast = form(SLOW, 1.2), form(FAST, 1.5)
    chosen = choose_form((slow, fast))
    assert chosen[1] is fast
    assert (chosen[0].id, chosen[0].status, chosen[0].speed_up) == (SLOW, "rejected", 1.2)
    assert chosen[0].reasons == (
        f"{FAST} computes the same and is faster: 1.50 × against 1.20 × the speed of a/fp32/dense, as first compared",
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
        (
            "rejected",
            (
                f"{OTHER} computes the same and is faster: 0.70 × against 0.50 × the speed of a/fp32/dense, as first compared",
            ),
        ),
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
    assert int8_exceeds_budget(candidates, PLAN, 1.5) == lost


def test_layers_left_in_float_are_named_where_they_hold_much_of_the_weights() -> None:
    layers = ("se.fc1", "se.fc2", "stem", "head")
    artifact = replace(make_artifact(int8_mac_share=0.99), float_weight_share=0.43, float_layers=layers)
    said = "43 % of the weights of its layers stayed float: se.fc1, se.fc2, stem and 1 more"
    assert verdict(make_candidate(STATIC, artifact=artifact)) == ("ok", (said,))
    few = replace(artifact, float_weight_share=0.09)
    assert verdict(make_candidate(STATIC, artifact=few)) == ("ok", ())


@pytest.mark.parametrize(
    ("drops", "missed"),
    [
        ({PARENT: 0.5}, False),
        ({PARENT: 1.5}, True),
        ({PARENT: 0.5, INT8: 1.5}, True),
        ({PARENT: 1.5, INT8: 0.5}, False),
        ({PARENT: 0.5, INT8: 1.5, STATIC: 0.9}, False),
        ({PARENT: 1.5, INT8: None}, True),
        ({PARENT: None}, False),
    ],
    ids=["float", "float too much", "int8 too much", "int8 gains", "one holds", "int8 not made", "nothing known"],
)
def test_what_was_made_of_a_plan_misses_the_budget(drops: dict[str, float | None], missed: bool) -> None:
    made = tuple(
        replace(make_candidate(name), accuracy=None if drop is None else accurate(drop)) for name, drop in drops.items()
    )
    assert misses_budget(made, 1.0) == missed


def _by_metric(candidate_id: str, value: float, drop: float, **changes: Any) -> Candidate:
    """A candidate that a metric of the user's own judges, and top-1 otherwise."""
    score = MetricScore("my:balanced", "", value, drop, None, Interval(drop - 0.01, drop + 0.01))
    return make_candidate(candidate_id, accuracy=Accuracy(0.8, None, 100, 0.0, metric=score), **changes)


def test_a_metric_counts_instead_of_top1() -> None:
    lost = _by_metric("onnxruntime/dynamic_wi8_afp32", 0.7, 0.05)
    judged = judge(lost, None, Limits(0.02))
    assert (judged.status, judged.reasons) == ("rejected", ("balanced drops 0.05 (0.04 to 0.06), 0.02 allowed",))
    near = judge(_by_metric("onnxruntime/dynamic_wi8_afp32", 0.7, 0.015), None, Limits(0.02))
    assert near.status == "ok"
    assert near.reasons == ("the limit of 0.02 is met only within noise: balanced drops 0.015 (0.005 to 0.025)",)


def test_of_those_that_tie_the_metric_chooses() -> None:
    latency = make_latency(10, 11, 12)
    better = _by_metric("onnxruntime/fp32", 0.9, 0.0, latency=latency)
    worse = _by_metric("onnxruntime/dynamic_wi8_afp32", 0.85, 0.05, latency=latency)
    assert choose((worse, better)).selected == better.id


def test_on_a_part_of_the_images_a_metric_without_interval_leaves_all_open() -> None:
    score = MetricScore("my:balanced", "", 0.5, 0.4)
    assert may_keep_budget(Accuracy(0.1, None, 200, 80.0, metric=score), 0.02)
    sure = MetricScore("my:balanced", "", 0.5, 0.4, None, Interval(0.3, 0.5))
    assert not may_keep_budget(Accuracy(0.9, None, 200, 0.0, metric=sure), 0.02)


BOARD, OTHER_BOARD = "pi4", "pi5"


def there(name: str, *bursts_ms: float, board: str = BOARD, **changes: Any) -> Candidate:
    """Measured on a board."""
    return make_candidate(name, on_boards={board: make_latency(*bursts_ms)} if bursts_ms else {}, **changes)


def test_on_a_board_the_fastest_there_is_chosen_not_the_fastest_here() -> None:
    found = (there(A, 20.0, 21.0, 20.5, p50_ms=9.0), there(B, 30.0, 31.0, 30.5, p50_ms=1.0), there(C, p50_ms=0.5))
    choice = choose(found, boards=(BOARD,))
    assert (choice.selected, choice.selected_for, choice.tied, choice.notes) == (A, {BOARD: A}, {BOARD: ()}, ())


def test_what_ties_on_a_board_is_chosen_for_its_accuracy() -> None:
    found = (
        there(A, 20.0, 21.0, 20.5, accuracy=accurate(drop=0.5)),
        there(B, 20.1, 20.9, 20.6, accuracy=accurate(drop=0.1)),
    )
    choice = choose(found, boards=(BOARD,))
    assert (choice.selected_for, choice.tied) == ({BOARD: B}, {BOARD: (A,)})


def test_boards_come_before_devices_and_each_has_its_choice() -> None:
    found = (
        replace(on(A, 20.0), on_boards={BOARD: make_latency(9.0, 9.1, 9.2), OTHER_BOARD: make_latency(3.0, 3.1, 3.2)}),
        replace(on(B, 10.0), on_boards={BOARD: make_latency(5.0, 5.1, 5.2)}),
    )
    choice = choose(found, (PI,), boards=(BOARD, OTHER_BOARD))
    assert choice.selected_for == {BOARD: B, OTHER_BOARD: A, PI: B}
    assert (list(choice.selected_for), choice.selected) == ([BOARD, OTHER_BOARD, PI], B)


def test_where_nothing_was_measured_on_a_board_there_is_none_and_why() -> None:
    found = (there(A, p50_ms=9.0), there(B, 1.0, 1.1, 1.2, status="rejected"))
    choice = choose(found, boards=(BOARD,))
    assert (choice.selected, choice.notes) == (None, (f"no usable candidate was measured on {BOARD}",))
