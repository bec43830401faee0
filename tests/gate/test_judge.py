"""The gate never passes what it does not know."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.errors import ExitCode, UsageError
from edgevit.gate.budget import Budget
from edgevit.gate.judge import decide, judge
from edgevit.gate.verdict import Check, Verdict
from edgevit.results.candidate import Accuracy, Candidate
from edgevit.results.measurement import Interval, LatencyInterval
from edgevit.results.metric import MetricScore
from tests.factories import (
    BOARD,
    make_artifact,
    make_board_run,
    make_candidate,
    make_latency,
    make_measurement,
    make_prediction,
    make_run,
    make_verification,
)

positive = st.floats(min_value=1e-3, max_value=1e12, allow_nan=False)
broken = st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -1.0])
DEVICE = "raspberry-pi-5"


def budget(**limits: object) -> Budget:
    return Budget.model_validate(limits)


def latency_budget(limit: float, device: str = "host") -> Budget:
    return budget(devices={device: {"latency_p50_ms": limit}})


def process_budget(limit: float, device: str = DEVICE) -> Budget:
    return budget(devices={device: {"peak_rss_bytes": limit}})


def tensor_budget(limit: float, device: str = DEVICE) -> Budget:
    return budget(devices={device: {"peak_tensor_bytes": limit}})


def only(candidate: Candidate, limits: Budget) -> Check:
    (check,) = judge(make_run(candidate), limits)
    return check


def test_a_run_within_every_limit_passes() -> None:
    limits = budget(
        size_bytes=8_000_000,
        accuracy_drop_points=1.0,
        devices={"host": {"latency_p50_ms": 15.0, "peak_rss_bytes": 200_000_000}, DEVICE: {"latency_p50_ms": 40.0}},
    )
    run = make_run(make_candidate(predictions=(make_prediction(10, 39),)))
    verdict = decide(run, limits)
    assert verdict.outcome == "pass"
    assert verdict.exit_code is ExitCode.DONE
    assert [(c.metric, c.device, c.source) for c in verdict.checks] == [
        ("size", None, "file"),
        ("accuracy drop", None, "evaluated"),
        ("latency p50", "host", "measured"),
        ("peak process memory", "host", "measured"),
        ("latency p50", DEVICE, "predicted"),
    ]


@pytest.mark.parametrize(
    ("limits", "candidate"),
    [
        (budget(size_bytes=1000), make_candidate(size_bytes=1001)),
        (budget(accuracy_drop_points=1.0), make_candidate(top1=0.81)),
        (latency_budget(11.9), make_candidate(p50_ms=12.0)),
        (budget(devices={"host": {"peak_rss_bytes": 1e8}}), make_candidate()),
        (budget(devices={"host": {"peak_memory_bytes": 1e8}}), make_candidate()),
        (tensor_budget(1e7), make_candidate(predictions=(make_prediction(1, 2),))),
    ],
)
def test_a_value_over_its_limit_fails(limits: Budget, candidate: Candidate) -> None:
    check = only(candidate, limits)
    assert check.verdict == "fail"
    assert check.actual is not None
    assert check.limit is not None
    assert check.actual > check.limit
    assert "over the limit" in check.message


def test_better_than_the_float_model_is_within_any_drop() -> None:
    assert only(make_candidate(top1=0.84), budget(accuracy_drop_points=0.0)).verdict == "pass"


def test_a_value_on_its_limit_passes() -> None:
    assert only(make_candidate(p50_ms=12.0), latency_budget(12.0)).verdict == "pass"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(10, 40, "pass"), (10, 40.1, "inconclusive"), (40, 80, "inconclusive"), (40.1, 80, "fail")],
)
def test_a_prediction_passes_only_as_a_whole(low: float, high: float, verdict: str) -> None:
    check = only(make_candidate(predictions=(make_prediction(low, high),)), latency_budget(40.0, DEVICE))
    assert (check.verdict, check.source, check.low, check.high) == (verdict, "predicted", low, high)
    assert "measured" not in check.message


@pytest.mark.parametrize("key", ["peak_rss_bytes", "peak_memory_bytes"])
def test_a_limit_on_a_process_is_never_met_by_predicted_tensors(key: str) -> None:
    """16 MB were allowed, 2.4 MB of tensors predicted, and 82 MB taken."""
    candidate = make_candidate(predictions=(make_prediction(1, 2, peak_tensor_bytes=2_400_000),))
    verdict = decide(make_run(candidate), budget(devices={DEVICE: {key: 16_000_000}}))
    (check,) = verdict.checks
    assert (check.metric, check.verdict, check.actual) == ("peak process memory", "inconclusive", None)
    assert verdict.exit_code is ExitCode.CHECK_FAILED
    assert "only its tensors are predicted (2.4 MB)" in check.message
    assert "peak_tensor_bytes" in check.message


@pytest.mark.parametrize(
    ("limit", "verdict"), [(150_000_000, "pass"), (149_000_000, "inconclusive"), (16_000_000, "fail")]
)
def test_a_predicted_process_passes_only_as_a_whole(limit: float, verdict: str) -> None:
    prediction = make_prediction(1, 2, peak_rss_bytes=Interval(50e6, 150e6))
    check = only(make_candidate(predictions=(prediction,)), process_budget(limit))
    assert (check.verdict, check.source, check.low, check.high) == (verdict, "predicted", 50e6, 150e6)
    assert "predicted 50.0 MB to 150.0 MB" in check.message


def test_a_limit_on_tensors_is_for_predictions() -> None:
    candidate = make_candidate(predictions=(make_prediction(1, 2, peak_tensor_bytes=2_400_000),))
    check = only(candidate, tensor_budget(2_400_000))
    assert (check.metric, check.verdict, check.source) == ("peak tensor memory", "pass", "predicted")
    measured = only(make_candidate(), tensor_budget(1e12, "host"))
    assert (measured.verdict, measured.actual) == ("fail", None)
    assert "peak_rss_bytes" in measured.message


def test_tensors_are_predicted_also_where_the_process_was_measured() -> None:
    candidate = make_candidate(
        measurements=(make_measurement(50, device=DEVICE),),
        predictions=(make_prediction(1, 2, peak_tensor_bytes=2_400_000),),
    )
    assert only(candidate, tensor_budget(3e6)).verdict == "pass"
    assert only(candidate, process_budget(2e8)).source == "measured"


def test_the_latency_of_this_host_is_that_of_the_final_round() -> None:
    candidate = make_candidate(p50_ms=30.0, latency=make_latency(9.0, 10.0, 11.0))
    check = only(candidate, latency_budget(10.0))
    assert (check.verdict, check.actual, check.low, check.high) == ("inconclusive", 10.0, 9.0, 11.0)
    assert check.message == (
        "measured 10.0 ms, 0 % under the limit of 10.0 ms, which lies within its 95 % interval 9.00 ms to 11.0 ms"
    )
    assert only(candidate, latency_budget(11.0)).verdict == "pass"
    assert only(candidate, latency_budget(9.5)).message == (
        "measured 10.0 ms, 5.3 % over the limit of 9.50 ms, which lies within its 95 % interval 9.00 ms to 11.0 ms"
    )
    over = only(candidate, latency_budget(8.9))
    assert (over.verdict, over.message) == (
        "fail", "measured 10.0 ms, over the limit of 8.90 ms (95 % interval 9.00 ms to 11.0 ms)",
    )  # fmt: skip


def test_an_unstable_latency_never_passes() -> None:
    latency = make_latency(9.0, 10.0, 11.0, unstable="steal time 12 % in 2 of 3 bursts")
    check = only(make_candidate(latency=latency), latency_budget(20.0))
    assert check.verdict == "inconclusive"
    assert only(make_candidate(latency=latency), latency_budget(2.0)).verdict == "fail"
    assert check.message.endswith("; unstable: steal time 12 % in 2 of 3 bursts")


@pytest.mark.parametrize("device", ["host", "pi"])
@pytest.mark.parametrize("key", ["latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "peak_rss_bytes", "energy_mj"])
def test_what_an_emulator_took_never_passes(key: str, device: str) -> None:
    measured = replace(make_measurement(5.0), device=device, energy_mj=1.0)
    limits = budget(devices={device: {key: 1e12}})
    within = make_run(make_candidate(measurements=(measured,)))
    assert "fail" not in [check.verdict for check in judge(within, limits)]
    conditions = replace(measured.conditions, emulated="aarch64 programs on a processor of type x86")
    (check,) = judge(make_run(make_candidate(measurements=(replace(measured, conditions=conditions),))), limits)
    assert check.verdict == "fail"
    assert "measured on an emulator" in check.message


def test_rounds_of_an_emulator_never_pass() -> None:
    latency = replace(make_latency(9.0, 9.0, 9.0), emulated="aarch64 programs on a processor of type x86")
    assert only(make_candidate(latency=latency), latency_budget(20.0)).verdict == "fail"


def test_the_final_round_hides_no_measurement_with_other_threads() -> None:
    candidate = make_candidate(
        measurements=(make_measurement(5), make_measurement(50)), latency=make_latency(6.0, 6.0, 6.0)
    )
    checks = judge(make_run(candidate), latency_budget(20))
    assert [(check.actual, check.verdict) for check in checks] == [(6.0, "pass"), (50.0, "fail")]


def test_a_limit_within_the_interval_of_a_drop_decides_nothing() -> None:
    accuracy = Accuracy(0.82, None, 855, 0.7, drop_interval=Interval(-0.2, 1.6))
    check = only(make_candidate(accuracy=accuracy), budget(accuracy_drop_points=1.0))
    assert (check.verdict, check.low, check.high) == ("inconclusive", -0.2, 1.6)
    assert check.message == (
        "evaluated 0.7 pt, 30 % under the limit of 1.0 pt, which lies within its 95 % interval -0.2 pt to 1.6 pt"
    )
    clear = only(make_candidate(accuracy=accuracy), budget(accuracy_drop_points=2.0))
    assert (clear.verdict, clear.message) == (
        "pass",
        "evaluated 0.7 pt, limit 2.0 pt (95 % interval -0.2 pt to 1.6 pt)",
    )


def test_a_limit_can_be_on_the_value_alone() -> None:
    accuracy = Accuracy(0.82, None, 855, 0.7, drop_interval=Interval(-0.2, 1.6))
    limits = budget(accuracy_drop_points={"max": 1.0, "by": "value"})
    assert only(make_candidate(accuracy=accuracy), limits).verdict == "pass"


def test_inconclusive_is_not_within_budget() -> None:
    run = make_run(make_candidate(predictions=(make_prediction(10, 80),)))
    verdict = decide(run, latency_budget(40.0, DEVICE))
    assert verdict.outcome == "inconclusive"
    assert verdict.exit_code is ExitCode.CHECK_FAILED


def test_a_measurement_counts_before_a_prediction() -> None:
    candidate = make_candidate(
        measurements=(make_measurement(50, device=DEVICE),), predictions=(make_prediction(1, 2),)
    )
    assert only(candidate, latency_budget(40.0, DEVICE)).source == "measured"


def test_the_best_of_several_values_does_not_hide_the_others() -> None:
    candidate = make_candidate(measurements=(make_measurement(5), make_measurement(50)))
    assert [check.verdict for check in judge(make_run(candidate), latency_budget(20))] == ["pass", "fail"]
    units = make_candidate(predictions=(make_prediction(1, 2), make_prediction(50, 60, unit="gpu")))
    checks = judge(make_run(units), latency_budget(20, DEVICE))
    assert [(c.device, c.verdict) for c in checks] == [(f"{DEVICE} (cpu)", "pass"), (f"{DEVICE} (gpu)", "fail")]


@pytest.mark.parametrize(
    ("candidate", "limits", "reason"),
    [
        (make_candidate(artifact=None), budget(size_bytes=1), "no artifact"),
        (make_candidate(accuracy=None), budget(accuracy_drop_points=1), "not evaluated"),
        (make_candidate(top1=None), budget(accuracy_drop_points=1), "not evaluated"),
        (make_candidate(accuracy=Accuracy(None, None, 9, None)), budget(accuracy_drop_points=1), "no labels"),
        (make_candidate(accuracy=Accuracy(0.9, None, 0, 0.0)), budget(accuracy_drop_points=1), "not evaluated"),
        (make_candidate(accuracy=Accuracy(math.nan, None, 9, 0.0)), budget(accuracy_drop_points=1), "not a number"),
        (make_candidate(p50_ms=None), latency_budget(99), "neither measured nor predicted"),
        (make_candidate(), latency_budget(99, "coral"), "the run has host"),
        (make_candidate(measurements=(replace(make_measurement(1), samples_ms=()),)), latency_budget(99), "no runs"),
        (
            make_candidate(predictions=(make_prediction(1, 2, latency_ms=None, unsupported_ops=("ERF",)),)),
            latency_budget(99, DEVICE),
            "ERF",
        ),
        (
            make_candidate(predictions=(make_prediction(1, 2, latency_ms=None),)),
            latency_budget(99, DEVICE),
            "too little is known of its cpu to predict latency",
        ),
    ],
)
def test_what_is_missing_fails_with_a_reason(candidate: Candidate, limits: Budget, reason: str) -> None:
    check = only(candidate, limits)
    assert (check.verdict, check.actual, check.source) == ("fail", None, "none")
    assert reason in check.message


@pytest.mark.parametrize("selected", [None, "no/such"])
def test_without_a_selected_candidate_every_limit_fails(selected: str | None) -> None:
    limits = budget(size_bytes=1e12, accuracy_drop_points=100.0, devices={"host": {"latency_p50_ms": 1e9}})
    checks = judge(make_run(selected=selected), limits)
    assert len(checks) == 3
    assert {check.verdict for check in checks} == {"fail"}


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "rejected", "reasons": ("slower than fp32",)},
        {"status": "failed"},
        {"verification": None},
        {"verification": make_verification(passed=False)},
        {"verification": replace(make_verification(), samples=0)},
    ],
)
def test_a_candidate_that_the_run_does_not_stand_by_fails(changes: dict[str, Any]) -> None:
    verdict = decide(make_run(make_candidate(**changes)), budget(size_bytes=1e12))
    assert verdict.outcome == "fail"
    assert verdict.checks[0].metric == "candidate"


def test_a_candidate_can_be_named() -> None:
    run = make_run(make_candidate("litert/fp32"), make_candidate(), selected=None)
    assert decide(run, budget(size_bytes=8e6), "litert/dynamic_wi8_afp32").outcome == "pass"
    with pytest.raises(UsageError, match="unknown candidate") as error:
        judge(run, budget(size_bytes=8e6), "litert/fp23")
    assert "litert/fp32" in str(error.value.hint)


def test_values_that_read_alike_are_shown_in_full() -> None:
    check = only(make_candidate(size_bytes=8_000_001), budget(size_bytes=8_000_000))
    assert "8000001 B" in check.message
    assert "8000000 B" in check.message


def test_no_checks_are_no_pass() -> None:
    assert Verdict("id", ()).outcome == "fail"


@given(value=broken, limit=positive)
def test_no_broken_latency_ever_passes(value: float, limit: float) -> None:
    measured = make_candidate(measurements=(replace(make_measurement(1.0), latency_ms=replace(
        make_measurement(1.0).latency_ms, p50=value)),))  # fmt: skip
    check = only(measured, latency_budget(limit))
    assert (check.verdict, check.actual) == ("fail", None)


@given(
    low=st.one_of(broken, positive), p50=st.one_of(broken, positive), high=st.one_of(broken, positive), limit=positive
)
def test_a_prediction_passes_only_if_its_interval_is_sound_and_below(
    low: float, p50: float, high: float, limit: float
) -> None:
    prediction = make_prediction(1, 2, latency_ms=LatencyInterval(p50, low, high))
    check = only(make_candidate(predictions=(prediction,)), latency_budget(limit, DEVICE))
    if check.verdict == "pass":
        assert 0 <= low <= p50 <= high <= limit


@given(value=st.sampled_from([math.nan, math.inf, -math.inf]), limit=st.floats(0, 100))
def test_no_broken_drop_ever_passes(value: float, limit: float) -> None:
    candidate = make_candidate(accuracy=Accuracy(0.8, None, 10, value))
    check = only(candidate, budget(accuracy_drop_points=limit))
    assert (check.verdict, check.actual) == ("fail", None)


@given(size=st.integers(1, 10**12), one=positive, other=positive)
def test_a_wider_limit_never_makes_it_worse(size: int, one: float, other: float) -> None:
    order = {"fail": 0, "inconclusive": 1, "pass": 2}
    candidate = make_candidate(
        artifact=make_artifact(size_bytes=size), predictions=(make_prediction(size / 2e3, size / 1e3),)
    )
    low, high = sorted((one, other))
    for narrow, wide in (
        (budget(size_bytes=low), budget(size_bytes=high)),
        (latency_budget(low, DEVICE), latency_budget(high, DEVICE)),
    ):
        assert order[only(candidate, narrow).verdict] <= order[only(candidate, wide).verdict]


@given(value=st.floats(1e-3, 1e9), limit=st.floats(1e-3, 1e9))
def test_a_message_never_compares_two_equal_texts(value: float, limit: float) -> None:
    check = only(make_candidate(p50_ms=value), latency_budget(limit))
    actual_text, limit_text = check.message.removeprefix("measured ").split(", ")
    if value != limit:
        assert actual_text != limit_text.removeprefix("over the limit of ").removeprefix("limit ")


@pytest.mark.parametrize(
    ("top1", "drop"),
    [(5.0, 0.0), (-0.1, 0.0), (math.nan, 0.0), (0.8, -1e300), (0.8, -80.1), (0.8, 20.1), (0.99, math.nan)],
)
def test_an_accuracy_that_cannot_be_fails(top1: float, drop: float) -> None:
    candidate = replace(make_candidate(), accuracy=Accuracy(top1, 0.96, 855, drop))
    check = only(candidate, budget(accuracy_drop_points=100.0))
    assert (check.verdict, check.actual) == ("fail", None)


@pytest.mark.parametrize("drop", [-80.0, 0.0, 20.0])
def test_the_extreme_accuracies_that_can_be_are_judged(drop: float) -> None:
    candidate = replace(make_candidate(), accuracy=Accuracy(0.8, 0.96, 855, drop))
    assert only(candidate, budget(accuracy_drop_points=100.0)).verdict == "pass"


@pytest.mark.parametrize("agreement", [-0.1, 1.1, math.nan])
def test_an_agreement_that_is_no_share_fails(agreement: float) -> None:
    candidate = make_candidate(verification=make_verification(agreement))
    verdict = decide(make_run(candidate), budget(size_bytes=1e9))
    assert verdict.exit_code is ExitCode.CHECK_FAILED


@pytest.mark.parametrize("samples", [(), (-1.0, 30.0), (math.nan, 12.0), (12.0, math.inf)])
def test_runs_that_are_no_times_fail(samples: tuple[float, ...]) -> None:
    measurement = replace(make_measurement(12.0), samples_ms=samples)
    check = only(make_candidate(measurements=(measurement,)), latency_budget(100.0))
    assert (check.verdict, check.actual) == ("fail", None)
    in_bursts = make_candidate(latency=replace(make_latency(12.0), bursts_ms=samples))
    assert only(in_bursts, latency_budget(100.0)).verdict == "fail"


@pytest.mark.parametrize("bursts", [(13.0, 14.0), (1.0, 2.0)])
def test_a_median_that_its_bursts_do_not_give_fails(bursts: tuple[float, ...]) -> None:
    candidate = make_candidate(latency=replace(make_latency(12.0), bursts_ms=bursts))
    assert only(candidate, latency_budget(100.0)).verdict == "fail"


def test_percentiles_out_of_order_fail() -> None:
    measurement = make_measurement(12.0)
    wrong = replace(measurement, latency_ms=replace(measurement.latency_ms, p50=measurement.latency_ms.p99 + 1))
    assert only(make_candidate(measurements=(wrong,)), latency_budget(100.0)).verdict == "fail"


def test_a_run_is_held_to_what_it_was_judged_by() -> None:
    score = MetricScore("my:balanced", "", 0.91, 0.012, None, Interval(0.004, 0.02))
    candidate = make_candidate(accuracy=Accuracy(0.8, None, 100, 3.0, metric=score))
    check = only(candidate, budget(metric_drop=0.015))
    assert (check.verdict, check.metric, check.actual, check.limit) == ("inconclusive", "metric drop", 0.012, 0.015)
    assert check.message == (
        "balanced 0.91, a drop of 0.012, 20 % under the limit of 0.015, which lies within its 95 % interval 0.004 to 0.02"
    )
    over = only(candidate, budget(metric_drop=0.001))
    assert (over.verdict, over.message.partition(" (")[0]) == (
        "fail",
        "balanced 0.91, a drop of 0.012, over the limit of 0.001",
    )
    assert only(candidate, budget(metric_drop=0.02)).verdict == "pass"
    top1 = only(make_candidate(top1=0.82), budget(metric_drop=1.0))
    assert (top1.verdict, top1.message) == ("pass", "top-1 82.0 %, a drop of 0.7 pt, limit 1.0 pt")


def test_a_metric_that_is_not_known_fails() -> None:
    unknown = make_candidate(accuracy=Accuracy(None, None, 100, None))
    assert only(unknown, budget(metric_drop=1.0)).verdict == "fail"
    broken = make_candidate(accuracy=Accuracy(0.8, None, 9, 0.0, metric=MetricScore("my:m", "", float("nan"), 0.0)))
    assert "not a number to judge" in only(broken, budget(metric_drop=1.0)).message


def test_a_limit_for_a_board_is_judged_by_the_rounds_there() -> None:
    run = make_board_run()
    assert [check.verdict for check in judge(run, latency_budget(70.0, BOARD))] == ["pass"]
    (check,) = judge(run, latency_budget(50.0, BOARD))
    assert (check.verdict, check.actual) == ("fail", 61.0)
    assert [check.verdict for check in judge(run, latency_budget(61.5, BOARD))] == ["inconclusive"]
    (missing,) = judge(run, latency_budget(70.0, BOARD), "litert/dynamic_wi8_afp32")
    assert missing.verdict == "fail"
