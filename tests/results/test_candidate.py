"""What is read off a candidate, and when a drop is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.results.candidate import Attempt, Contribution, within_budget
from edgevit.results.document import to_document
from edgevit.spec.recipe import Recipe
from tests.factories import make_candidate, make_latency, make_machine, make_measurement, make_prediction


def test_a_measurement_is_found_by_its_device() -> None:
    here, there = make_measurement(12.0), make_measurement(30.0, device="raspberry-pi-5")
    candidate = make_candidate(measurements=(there, here))
    assert candidate.measurement() is here
    assert candidate.measurement("raspberry-pi-5") is there
    assert candidate.measurement("jetson") is None


def test_the_median_is_that_of_this_host() -> None:
    there = make_measurement(30.0, device="raspberry-pi-5")
    assert make_candidate(measurements=(there, make_measurement(12.0))).p50_ms == 12.0
    assert make_candidate(measurements=(there,)).p50_ms is None
    assert make_candidate(p50_ms=None).p50_ms is None


def test_the_final_round_comes_before_the_first_measurement() -> None:
    timed = make_candidate(
        p50_ms=12.0, latency=make_latency(9.0, 10.0, 11.0, unstable="other processes used 0.9 cores")
    )
    assert (timed.p50_ms, timed.unstable) == (10.0, "other processes used 0.9 cores")
    assert make_candidate(p50_ms=12.0).unstable == ""


def test_a_machine_that_changed_is_not_stable_where_the_latency_may_be() -> None:
    machine = make_machine(changed=("throttled", "other processes used 0.9 cores"))
    timed = make_candidate(latency=replace(make_latency(10.0, 11.0, unstable="throttled"), machine=machine))
    assert timed.not_stable == "throttled; other processes used 0.9 cores"
    alone = make_candidate(p50_ms=12.0)
    (measurement,) = alone.measurements
    conditions = replace(measurement.conditions, machine=machine)
    alone = replace(alone, measurements=(replace(measurement, conditions=conditions),))
    assert (alone.unstable, alone.not_stable) == ("", "throttled; other processes used 0.9 cores")
    assert make_candidate(p50_ms=12.0).not_stable == make_candidate(p50_ms=None).not_stable == ""


def test_a_prediction_is_found_by_its_device() -> None:
    prediction = make_prediction(1.0, 2.0, device="coral-edge-tpu")
    candidate = make_candidate(predictions=(make_prediction(3.0, 4.0), prediction))
    assert candidate.prediction("coral-edge-tpu") is prediction
    assert candidate.prediction("host") is None


def test_a_step_that_halves_the_latency_speeds_up_twice() -> None:
    step = Contribution("quantize", "static_wi8_ai8", 100, 100, 8.0, 4.0, 0.5)
    assert step.speed_up == 2.0


@pytest.mark.parametrize(
    "value",
    [
        Contribution("quantize", "static_wi8_ai8", 100, 100, 8.0, 4.0, -0.5),
        Attempt("policy", Recipe("static_wi8_ai8"), 0.8, 0.9, -0.5, 1.0),
    ],
)
def test_a_drop_keeps_its_older_name_in_documents(value: Contribution | Attempt) -> None:
    document = to_document(value)
    assert document["lost_points"] == -0.5
    assert "drop_points" not in document


@pytest.mark.parametrize(
    ("drop", "allowed"), [(-3.0, True), (1.0, True), (100 * (0.83 - 0.82), True), (1.001, False), (float("nan"), False)]
)
def test_a_drop_that_equals_the_limit_is_allowed_however_it_was_rounded(drop: float, allowed: bool) -> None:
    assert within_budget(drop, 1.0) is allowed
