"""Every kind of check: one that passes, one that fails, one where the value is missing and one where it is impossible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, nan
from typing import Any

import pytest

from edgevit.gate import artifact_readings, device_readings
from edgevit.gate.budget import ArtifactBudget, Budget, DeviceBudget
from edgevit.gate.judge import judge
from edgevit.gate.metrics import METRICS
from edgevit.gate.verdict import Check
from edgevit.results.candidate import Accuracy, Candidate, SetAccuracy
from edgevit.results.measurement import Interval, Measurement, Prediction, RoundLatency
from edgevit.results.metric import MetricScore
from edgevit.results.op_support import Fallback, UnitSupport
from tests.factories import (
    make_artifact,
    make_candidate,
    make_latency,
    make_measurement,
    make_prediction,
    make_run,
)

BOARD = "raspberry-pi-5"


@dataclass(frozen=True)
class Cases:
    """A limit on one metric, and candidates that it is held against."""

    limit: Any
    passes: Candidate
    fails: Candidate
    missing: tuple[Candidate, ...]
    impossible: tuple[Candidate, ...]
    device: str | None = None


def sized(size_bytes: Any) -> Candidate:
    return make_candidate(artifact=replace(make_artifact(), size_bytes=size_bytes))


def computing(**changes: Any) -> Candidate:
    return make_candidate(artifact=replace(make_artifact(), **changes))


def accurate(top1: float | None = 0.9, drop: float | None = 0.5, **changes: Any) -> Candidate:
    return make_candidate(accuracy=replace(Accuracy(top1, None, 10_000, drop), **changes))


def scored(value: float, drop: float | None = 0.1, unit: Any = "dB", **changes: Any) -> Candidate:
    score = replace(MetricScore("snr", unit, value, drop), **changes)
    return accurate(metric=score)


def shifted(drop: float, interval: Interval | None = None) -> Candidate:
    further = Accuracy(0.7, None, 100, drop, drop_interval=interval)
    harmless = Accuracy(0.9, None, 100, 0.0, drop_interval=Interval(-0.1, 0.1))
    return make_candidate(other_sets=(SetAccuracy("fog", further), SetAccuracy("night", harmless)))


def timed(*runs_ms: float, **changes: Any) -> Candidate:
    """Measured once, with as many runs as there are times."""
    ordered = sorted(runs_ms)
    measurement = make_measurement(ordered[len(ordered) // 2])
    latency = replace(
        measurement.latency_ms, min=ordered[0], p50=ordered[len(ordered) // 2], p90=ordered[int(0.9 * len(ordered))],
        p99=ordered[int(0.99 * len(ordered))],
    )  # fmt: skip
    conditions = replace(measurement.conditions, runs=len(ordered))
    made = replace(measurement, latency_ms=latency, samples_ms=tuple(runs_ms), conditions=conditions)
    return make_candidate(measurements=(replace(made, **changes),))


def in_rounds(**changes: Any) -> Candidate:
    return make_candidate(latency=replace(make_latency(9.0, 10.0, 11.0), **changes))


def measured(**changes: Any) -> Candidate:
    return make_candidate(measurements=(replace(make_measurement(), **changes),))


def delegated(text: str) -> Candidate:
    measurement: Measurement = make_measurement()
    return measured(conditions=replace(measurement.conditions, delegate=text))


def predicted(low: float = 10.0, high: float = 20.0, **changes: Any) -> Candidate:
    return make_candidate(predictions=(make_prediction(low, high, device=BOARD, **changes),))


def supported(partitions: int, mac_share: float, *fallbacks: Fallback, **changes: Any) -> Candidate:
    support = UnitSupport("cpu", "TFLite", fallbacks, partitions, mac_share)
    return predicted(op_support=(support,), unsupported_ops=support.unsupported_ops, **changes)


def falls_back(count: int) -> Fallback:
    return Fallback("ERF", "op", "", count, "use tanh")


NOT_MEASURED = make_candidate(p50_ms=None)
NO_ARTIFACT = make_candidate(artifact=None)
NOT_EVALUATED = (make_candidate(accuracy=None), make_candidate(accuracy=Accuracy(None, None, 0, None)))
STEADY = tuple(10 + 0.001 * number for number in range(1000))
WIDE = make_latency(9.0, 10.0, 11.0)
_BOTH_WAYS = RoundLatency(10.0, Interval(11.0, 12.0), (9.0, 10.0, 11.0))
_OUT_OF_ORDER: Prediction = make_prediction(10, 20)

TABLE: Mapping[str, Cases] = {
    "size_bytes": Cases("8 MB", sized(8_000_000), sized(8_000_001), (NO_ARTIFACT,), (sized(0), sized(-1), sized(nan))),
    "macs": Cases(
        "1.25 G", computing(macs=1_250_000_000), computing(macs=1_250_000_001), (NO_ARTIFACT,),
        (computing(macs=0), computing(macs=-5), computing(macs=inf)),
    ),
    "int8_share": Cases(
        "90 %", computing(int8_mac_share=0.9), computing(int8_mac_share=0.89), (NO_ARTIFACT,),
        (computing(int8_mac_share=1.1), computing(int8_mac_share=-0.1), computing(int8_mac_share=nan)),
    ),
    "top1": Cases(
        "90 %", accurate(0.92), accurate(0.88), (*NOT_EVALUATED, accurate(None)),
        (accurate(1.2), accurate(-0.1), accurate(nan), accurate(0.95, top1_interval=Interval(0.1, 0.2))),
    ),
    "accuracy_drop_points": Cases(
        "1 pt", accurate(drop=1.0), accurate(drop=1.1), (*NOT_EVALUATED, accurate(None), accurate(drop=None)),
        (accurate(drop=nan), accurate(drop=20.0), accurate(drop=-95.0), accurate(drop=0.1, drop_interval=Interval(nan, 1))),
    ),
    "agreement": Cases(
        "95 %", accurate(agreement=0.97), accurate(agreement=0.93), (*NOT_EVALUATED, accurate(agreement=None)),
        (accurate(agreement=1.01), accurate(agreement=-0.01), accurate(agreement=nan)),
    ),
    "metric": Cases(
        "30 dB", scored(31.0), scored(29.0), (*NOT_EVALUATED, accurate(None)),
        (scored(nan), scored(inf), scored(31.0, interval=Interval(1.0, 2.0)), accurate(1.2)),
    ),
    "metric_drop": Cases(
        "0.2 dB", scored(31.0, 0.1), scored(31.0, 0.3), (*NOT_EVALUATED, scored(31.0, None)),
        (scored(31.0, nan), scored(nan, 0.1), scored(31.0, 0.1, drop_interval=Interval(1.0, 2.0))),
    ),
    "shifted_drop_points": Cases(
        "3 pt", shifted(2.5, Interval(2.0, 3.0)), shifted(4.0, Interval(3.5, 4.5)), (make_candidate(),),
        (shifted(nan), shifted(101.0), shifted(1.0, Interval(2.0, 2.5))),
    ),
    "latency_p50_ms": Cases(
        "12 ms", in_rounds(), in_rounds(p50_ms=20.0, bursts_ms=(19.0, 20.0, 21.0), interval_ms=Interval(19.0, 21.0)),
        (NOT_MEASURED, timed(*STEADY, samples_ms=())),
        (in_rounds(bursts_ms=(-1.0, 30.0)), in_rounds(p50_ms=nan), in_rounds(batch=8), make_candidate(latency=_BOTH_WAYS),
         timed(nan, 1.0, 1.0), timed(*STEADY, latency_ms=replace(make_measurement(1.0).latency_ms, p50=0.01))),
        device="host",
    ),
    "latency_p90_ms": Cases(
        "11 ms", timed(*STEADY), timed(*(2 * each for each in STEADY)), (NOT_MEASURED, timed(*STEADY, samples_ms=())),
        (timed(-1.0, 2.0, 3.0), timed(*STEADY, latency_ms=replace(make_measurement(1.0).latency_ms, p90=99.0))),
        device="host",
    ),
    "latency_p99_ms": Cases(
        "11 ms", timed(*STEADY), timed(*(2 * each for each in STEADY)), (NOT_MEASURED, timed(*STEADY, samples_ms=())),
        (timed(inf, 2.0, 3.0), timed(*STEADY, latency_ms=replace(make_measurement(1.0).latency_ms, p99=nan))),
        device="host",
    ),
    "peak_rss_bytes": Cases(
        "120 MB", measured(peak_rss_bytes=120_000_000), measured(peak_rss_bytes=120_000_001), (NOT_MEASURED,),
        (measured(peak_rss_bytes=0), measured(peak_rss_bytes=-1), measured(peak_rss_bytes=nan)),
        device="host",
    ),
    "peak_tensor_bytes": Cases(
        "30 MB", predicted(peak_tensor_bytes=30_000_000), predicted(peak_tensor_bytes=30_000_001), (make_candidate(),),
        (predicted(peak_tensor_bytes=-1), predicted(peak_tensor_bytes=nan), predicted(unsupported_ops=("ERF",))),
        device=BOARD,
    ),
    "unsupported_ops": Cases(
        2, supported(3, 0.9, falls_back(2)), supported(3, 0.9, falls_back(3)), (make_candidate(),),
        (supported(3, 0.9, falls_back(-1)), supported(3, 0.9, falls_back(2), batch=8)),
        device=BOARD,
    ),
    "partitions": Cases(
        3, supported(3, 0.9, falls_back(2)), supported(4, 0.9, falls_back(2)), (make_candidate(), predicted()),
        (supported(-1, 0.5, falls_back(2)), supported(2, 1.5, falls_back(2)), supported(2, 1.0), supported(0, 0.0, falls_back(1))),
        device=BOARD,
    ),
    "energy_mj": Cases(
        "5 mJ", measured(energy_mj=5.0), measured(energy_mj=5.1), (measured(energy_mj=None), NOT_MEASURED),
        (measured(energy_mj=0.0), measured(energy_mj=-1.0), measured(energy_mj=nan)),
        device="host",
    ),
}  # fmt: skip
"""By key of the budget."""


def checks(key: str, candidate: Candidate) -> list[Check]:
    """What the limit of a row comes to for a candidate."""
    cases = TABLE[key]
    limits = {key: cases.limit} if cases.device is None else {"devices": {cases.device: {key: cases.limit}}}
    found = judge(make_run(candidate), Budget.model_validate(limits))
    assert {check.metric for check in found} == {METRICS[key].title}
    assert {check.key for check in found} == {key if cases.device is None else f"devices.{cases.device}.{key}"}
    return list(found)


def outcomes(key: str, candidate: Candidate) -> set[str]:
    return {check.verdict for check in checks(key, candidate)}


def test_the_table_has_every_kind_of_check() -> None:
    not_metrics = {"devices", "artifacts", "cpu", "peak_memory_bytes"}
    keys = {*ArtifactBudget.model_fields, *DeviceBudget.model_fields, *Budget.model_fields} - not_metrics
    assert set(TABLE) == set(METRICS) == keys
    assert len({metric.title for metric in METRICS.values()}) == len(METRICS)


def test_every_reading_is_of_a_metric() -> None:
    used = {metric.read_on if metric.read is None else metric.read for metric in METRICS.values()}
    assert len(used) == len(METRICS)
    assert {each.__module__ for each in used if each} == {artifact_readings.__name__, device_readings.__name__}


@pytest.mark.parametrize("key", TABLE)
def test_a_value_within_the_limit_passes(key: str) -> None:
    assert outcomes(key, TABLE[key].passes) == {"pass"}


@pytest.mark.parametrize("key", TABLE)
def test_a_value_beyond_the_limit_fails(key: str) -> None:
    found = checks(key, TABLE[key].fails)
    (failed,) = (check for check in found if check.verdict == "fail")
    assert failed.actual is not None
    assert "the limit of" in failed.message
    assert failed.margin is not None and failed.margin < 0


@pytest.mark.parametrize("key", TABLE)
def test_a_value_that_is_missing_fails(key: str) -> None:
    assert TABLE[key].missing
    for candidate in TABLE[key].missing:
        (check,) = checks(key, candidate)
        assert (check.verdict, check.actual, check.source) == ("fail", None, "none")
        assert check.message


@pytest.mark.parametrize("key", TABLE)
def test_a_value_that_is_impossible_fails(key: str) -> None:
    assert TABLE[key].impossible
    for candidate in TABLE[key].impossible:
        failed = [check for check in checks(key, candidate) if check.verdict == "fail"]
        assert [(check.actual, check.source) for check in failed] == [(None, "none")], candidate


@pytest.mark.parametrize("key", TABLE)
def test_a_limit_that_a_measurement_is_asked_for_is_not_met_by_a_prediction(key: str) -> None:
    cases = TABLE[key]
    if cases.device is None:
        return
    limits = {"devices": {BOARD: {key: {"max": 1e12, "source": "measured"}}}}
    (check,) = judge(make_run(predicted(peak_rss_bytes=Interval(1.0, 2.0))), Budget.model_validate(limits))
    assert check.verdict == "fail"


def test_a_percentile_that_so_few_runs_do_not_bound_decides_nothing() -> None:
    (check,) = checks("latency_p99_ms", timed(*STEADY[:300]))
    assert (check.verdict, check.high) == ("inconclusive", None)
    assert "too few to bound it from above" in check.message
    (cut,) = checks("latency_p99_ms", timed(*STEADY, samples_ms=STEADY[:3]))
    assert (cut.verdict, cut.message.partition(",")[0]) == ("inconclusive", "the record holds 3 of 1000 runs")


def test_a_limit_is_held_against_every_shift() -> None:
    found = checks("shifted_drop_points", shifted(4.0, Interval(3.5, 4.5)))
    assert [(check.verdict, check.message.partition(",")[0]) for check in found] == [
        ("fail", "under fog"), ("pass", "under night"),
    ]  # fmt: skip


def test_partitions_on_this_host_are_those_of_the_delegate() -> None:
    limits = Budget.model_validate({"devices": {"host": {"partitions": 1}}})
    for text, verdict in (
        ("XNNPACK, 1 partition", "pass"),
        ("XNNPACK, 122 partitions", "fail"),
        ("CPU plugin", "fail"),
    ):
        (check,) = judge(make_run(delegated(text)), limits)
        assert check.verdict == verdict
    assert check.message == "CPU plugin does not tell its partitions"
