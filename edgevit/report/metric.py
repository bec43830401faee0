"""What the candidates of a run are judged by, in words."""

from __future__ import annotations

from collections.abc import Callable

from edgevit import units
from edgevit.report import intervals
from edgevit.results.candidate import Candidate
from edgevit.results.metric import MetricScore, Unit
from edgevit.results.run import Run


def metric_of(run: Run) -> MetricScore | None:
    """Returns the score of the float model, or of any candidate, by the metric that the spec names; None where it names none."""
    found = (candidate.accuracy.metric for candidate in run.candidates if candidate.accuracy)
    return run.baseline.metric or next(filter(None, found), None)


def judge_title(run: Run) -> str:
    """Returns what candidates are judged by: the title of the metric, "top-1", or "agreement" without labels."""
    metric = metric_of(run)
    if metric:
        return metric.title
    labelled = any(candidate.accuracy and candidate.accuracy.top1 is not None for candidate in run.candidates)
    return "top-1" if labelled else "agreement"


def judge_unit(run: Run) -> Unit:
    """Returns the unit of what candidates are judged by."""
    metric = metric_of(run)
    return metric.unit if metric else "%"


def score_text(score: MetricScore | None) -> str:
    """Returns the value of a score with its unit; "–" for None."""
    return units.metric(score.value, score.unit) if score else "–"


def change_text(score: MetricScore | None) -> str:
    """Returns what is lost or gained by a score, with its unit; "–" for None, or where it is not known."""
    return units.metric_change(score.drop, score.unit) if score else "–"


def score_interval(score: MetricScore | None) -> str:
    """Returns the interval of a score's value; "–" where there is none."""
    return intervals.metric(score.interval, score.unit) if score else "–"


def change_interval(score: MetricScore | None) -> str:
    """Returns the interval of what is lost or gained by a score; "–" where there is none."""
    return intervals.metric_change(score.drop_interval, score.unit) if score else "–"


Cell = Callable[[Candidate], str]


def cell(text: Callable[[MetricScore | None], str]) -> Cell:
    """Returns the text of a candidate's score by the metric of the spec."""
    return lambda candidate: text(candidate.accuracy.metric if candidate.accuracy else None)
