"""A budget that is written from a run is one that the run keeps, and no wider than its intervals justify."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.errors import UsageError
from edgevit.gate.budget import Budget
from edgevit.gate.headroom import budget_toml, propose
from edgevit.gate.judge import decide
from edgevit.results.candidate import Accuracy
from edgevit.results.measurement import Interval
from edgevit.results.metric import MetricScore
from edgevit.results.run import Run
from edgevit.spec.toml_files import tomllib
from tests.factories import make_candidate, make_latency, make_measurement, make_prediction, make_run

ACCURACY = Accuracy(0.974, None, 500, 0.4, 0.99, drop_interval=Interval(-0.4, 1.23))
STEADY = make_latency(11.9, 12.0, 12.1, 12.0, 12.0, 11.95, 12.05)


def made(**changes: object) -> Run:
    predictions = (
        make_prediction(20, 41.23),
        make_prediction(5, 6, device="my board", peak_rss_bytes=Interval(4e7, 1.234e8)),
    )
    values = {"latency": STEADY, "accuracy": ACCURACY, "predictions": predictions, **changes}
    return make_run(make_candidate(**values))  # type: ignore[arg-type]


def limits(run: Run) -> dict[str, object]:
    document: dict[str, object] = tomllib.loads(budget_toml(propose(run), "run"))
    return document


def test_the_run_keeps_its_own_budget() -> None:
    verdict = decide(made(), Budget.model_validate(limits(made())))
    assert {check.verdict for check in verdict.checks} == {"pass"}
    assert len(verdict.checks) > 10


def test_the_head_room_is_from_the_interval_and_what_is_exact_has_none() -> None:
    found = limits(made())
    assert (found["size_bytes"], found["macs"]) == (6_000_000, 1_250_000_000)
    assert (found["int8_share"], found["accuracy_drop_points"]) == ("97 %", "1.3 pt")
    host, board = found["devices"]["host"], found["devices"]["raspberry-pi-5"]  # type: ignore[index]
    high = STEADY.interval_ms.high
    assert host["latency_p50_ms"] == f"{round(12 + (1 + 2**0.5) * (high - 12) + 0.05, 1):g} ms"
    assert host["peak_rss_bytes"] == {"max": "120 MB", "level": "warn"}
    assert host["cpu"] == "Example CPU"
    assert board["latency_p50_ms"] == "41.3 ms"
    assert "metric" not in found


def test_what_is_unstable_or_not_bounded_stands_in_a_comment() -> None:
    noisy = made(latency=replace(STEADY, unstable="steal time"))
    text = budget_toml(propose(noisy), "run")
    assert "latency_p50_ms" not in tomllib.loads(text)["devices"]["host"]
    assert "# latency_p50_ms = " in text and "unstable: steal time; measure again" in text
    few = made(latency=None, measurements=(replace(make_measurement(), samples_ms=(11.4, 12.0, 15.6), conditions=replace(
        make_measurement().conditions, runs=3)),))  # fmt: skip
    assert "so few runs do not bound it" in budget_toml(propose(few), "run")


def test_an_own_metric_has_limits() -> None:
    score = MetricScore("my:f1", "", 0.8123, 0.0123, Interval(0.8, 0.82), Interval(-0.01, 0.0234))
    run = made(accuracy=replace(ACCURACY, metric=score))
    assert (limits(run)["metric"], limits(run)["metric_drop"]) == (0.8, 0.0234)
    assert decide(run, Budget.model_validate(limits(run))).outcome == "pass"


def test_names_from_outside_stay_in_their_comment_or_text() -> None:
    evil = 'a"\n[devices.host]\nlatency_p50_ms = 1\x1b'
    run = make_run(
        make_candidate(predictions=(make_prediction(1, 2, device=evil),)), host=replace(made().host, cpu=evil)
    )
    found = tomllib.loads(budget_toml(propose(run), evil))
    assert len(found["devices"]) == 2
    assert "\x1b" not in budget_toml(propose(run), evil)


def test_without_a_chosen_candidate_one_has_to_be_named() -> None:
    run = make_run(selected=None)
    with pytest.raises(UsageError, match="selected no candidate"):
        propose(run)
    assert propose(run, "1").candidate == run.candidates[0].id


@given(
    size=st.integers(1, 10**11), share=st.floats(0, 1), top1=st.integers(0, 500), low=st.floats(0.01, 100), wide=st.floats(0, 100),
)  # fmt: skip
def test_whatever_a_run_has_it_keeps_its_own_budget(
    size: int, share: float, top1: int, low: float, wide: float
) -> None:
    candidate = make_candidate(
        size_bytes=size, accuracy=Accuracy(top1 / 500, None, 500, 0.0, top1 / 500),
        predictions=(make_prediction(low, low + wide),),
    )  # fmt: skip
    assert candidate.artifact is not None
    run = make_run(replace(candidate, artifact=replace(candidate.artifact, int8_mac_share=share)))
    verdict = decide(run, Budget.model_validate(limits(run)))
    assert [check.message for check in verdict.checks if check.verdict != "pass"] == []
