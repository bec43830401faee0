"""What candidates are judged by, in words."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.metric import (
    cell,
    change_interval,
    change_text,
    judge_title,
    judge_unit,
    metric_of,
    score_interval,
    score_text,
)
from edgevit.results.measurement import Interval
from edgevit.results.metric import MetricScore
from tests.factories import make_candidate, make_run

OWN = MetricScore("my.metrics:balanced", "", 0.91234, 0.012, Interval(0.9, 0.92), Interval(0.004, 0.02))
SNR = MetricScore("snr", "dB", 31.25, -1.5, None, None)
SHARE = MetricScore("multilabel", "%", 0.875, 1.25, Interval(0.85, 0.9), Interval(0.5, 2.0))


def test_a_run_is_judged_by_the_metric_of_its_spec() -> None:
    run = make_run()
    assert metric_of(run) is None
    assert (judge_title(run), judge_unit(run)) == ("top-1", "%")
    judged = replace(run, baseline=replace(run.baseline, metric=OWN))
    assert (judge_title(judged), judge_unit(judged)) == ("balanced", "")


def test_a_score_has_its_unit_everywhere() -> None:
    assert [score_text(each) for each in (OWN, SNR, SHARE, None)] == ["0.9123", "31.25 dB", "87.5 %", "–"]
    assert [change_text(each) for each in (OWN, SNR, SHARE, None)] == ["-0.012", "+1.5 dB", "-1.2 pt", "–"]
    assert [score_interval(each) for each in (OWN, SNR, SHARE)] == ["0.9 to 0.92", "–", "85.0 to 90.0 %"]
    assert [change_interval(each) for each in (OWN, SNR, SHARE)] == ["-0.02 to -0.004", "–", "-2.0 to -0.5 pt"]


def test_a_cell_is_of_the_candidates_metric() -> None:
    candidate = make_candidate()
    assert candidate.accuracy is not None
    assert cell(score_text)(candidate) == "–"
    assert cell(score_text)(replace(candidate, accuracy=replace(candidate.accuracy, metric=SNR))) == "31.25 dB"
