"""The table of candidates as text cells, the same for the report and for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edgevit import units
from edgevit.report import intervals
from edgevit.report.metric import cell, change_interval, change_text, metric_of, score_interval, score_text
from edgevit.report.plans import plan_of
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import Prediction
from edgevit.results.ranking import fastest_first
from edgevit.results.run import Run


@dataclass(frozen=True)
class Column:
    """One column of the table."""

    title: str
    cell: Callable[[Run, Candidate], str]
    numeric: bool
    rank: int
    """Where the table is too wide, columns are left out, those of the highest rank first; 0 always stays."""


def reference_of(run: Run, candidate: Candidate) -> Candidate | None:
    """Returns what a speed-up refers to: the float parent, else the backend's dense fp32; None if it is absent."""
    for other in run.candidates:
        dense = other.backend == candidate.backend and other.scheme == "fp32" and other.parent is None
        wanted = other.id == candidate.parent if candidate.parent else dense
        if wanted and other.id != candidate.id:
            return other
    return None


def rows_of(run: Run) -> tuple[Candidate, ...]:
    """Returns the candidates in the order in which they are shown: fastest on this host first."""
    return fastest_first(run.candidates)


def speed_up(run: Run, candidate: Candidate) -> float | None:
    """Returns how many times faster a candidate is than its reference on this host; None where one was not measured.

    It is the paired measurement of both where there is one, which repeats better, else the ratio of the medians.
    """
    if candidate.speed_up is not None:
        return candidate.speed_up
    reference = reference_of(run, candidate)
    if reference is None or (reference.latency is None) != (candidate.latency is None):
        return None
    before, after = reference.p50_ms, candidate.p50_ms
    return before / after if before and after else None


def has_final_round(run: Run) -> bool:
    """Returns whether candidates were timed alternately in a final round."""
    return any(candidate.latency for candidate in run.candidates)


def outside_round(run: Run, candidate: Candidate) -> bool:
    """Returns whether a candidate was measured by itself alone although the run has a final round."""
    return has_final_round(run) and candidate.latency is None and candidate.p50_ms is not None


def status_of(run: Run, candidate: Candidate) -> str:
    """Returns "chosen", "tied" or the candidate's status, where a run has several choices for what, and if unstable."""
    chosen = [device for device, name in run.choices.items() if name == candidate.id]
    tied = [device for device, names in run.tied.items() if candidate.id in names]
    several = len(run.choices) > 1
    words = [f"chosen for {', '.join(chosen)}" if several else "chosen"] if chosen else []
    words += [f"tied for {', '.join(tied)}" if several else "tied"] if tied else []
    return ", ".join((*(words or [candidate.status]), *(["unstable"] if candidate.unstable else [])))


def short_status_of(run: Run, candidate: Candidate) -> str:
    """Returns "chosen", "tied" or the candidate's status in one word; for what, and if unstable, the lines below tell."""
    return status_of(run, candidate).partition(" ")[0].rstrip(",")


def reasons_of(candidate: Candidate) -> tuple[str, ...]:
    """Returns all that people have to know of a candidate: why it was rejected or failed, what is uncertain of it."""
    return (*candidate.reasons, *([f"latency disturbed: {candidate.unstable}"] if candidate.unstable else []))


def has_labels(run: Run) -> bool:
    """Returns whether accuracy was evaluated on labelled images for any candidate."""
    return any(c.accuracy is not None and c.accuracy.top1 is not None for c in run.candidates)


def interval(prediction: Prediction) -> str:
    """Returns the interval of a predicted latency, or "cannot run"."""
    latency = prediction.latency_ms
    if latency is None:
        return "cannot run"
    return f"{units.milliseconds(latency.low)} to {units.milliseconds(latency.high)}"


def brief_columns(run: Run, labels: Mapping[str, str]) -> tuple[Column, ...]:
    """Returns the columns that fit a terminal of 80 characters, and those that a wider one has room for.

    Args:
        run: The run.
        labels: By plan, what to call it; plans that are not among them are shown as they are.
    """
    metric = metric_of(run)
    percent = (
        Column("top-1", lambda _, c: units.percent(c.accuracy.top1 if c.accuracy else None), True, 0),
        Column("change", lambda _, c: units.accuracy_change(c.accuracy.drop_points if c.accuracy else None), True, 2),
    )
    usual = percent if has_labels(run) else (Column("agreement", _agreement, True, 0),)
    return (
        _rank(run),
        Column("runtime", lambda _, c: c.backend, False, 0),
        Column("scheme", lambda _, c: c.scheme, False, 0),
        Column("plan", lambda _, c: labels.get(plan_of(c), plan_of(c)), False, 0),
        Column("status", short_status_of, False, 1),
        *(_brief_metric(metric.title) if metric else usual),
        Column("latency", _p50, True, 0),
        Column("speed-up", _speed_up, True, 3),
    )


def _brief_metric(title: str) -> tuple[Column, ...]:
    value, change = cell(score_text), cell(change_text)
    return (
        Column(title, lambda _, c: value(c), True, 0),
        Column("change", lambda _, c: change(c), True, 2),
    )


def _rank(run: Run) -> Column:
    ranks = {candidate.id: str(rank) for rank, candidate in enumerate(rows_of(run), 1)}
    return Column("rank", lambda _, candidate: ranks[candidate.id], True, 0)


def columns(run: Run) -> tuple[Column, ...]:
    """Returns all columns of a run's table, with agreement instead of accuracy where there are no labels.

    Where the spec names a metric, it has their place, and top-1 or agreement comes after all others.

    Where values have intervals, each is in the column after that of the value.
    """
    labelled = (
        Column("top-1", lambda _, c: units.percent(c.accuracy.top1 if c.accuracy else None), True, 1),
        *_interval(run, lambda c: intervals.percent(c.accuracy.top1_interval if c.accuracy else None), 9),
        Column("change", lambda _, c: units.accuracy_change(c.accuracy.drop_points if c.accuracy else None), True, 3),
        *_interval(run, lambda c: intervals.accuracy_change(c.accuracy.drop_interval if c.accuracy else None), 8),
    )
    unlabelled = (Column("agreement", _agreement, True, 1),)
    usual, metric = labelled if has_labels(run) else unlabelled, metric_of(run)
    return (
        _rank(run),
        Column("candidate", lambda _, c: c.id, False, 0),
        Column("status", status_of, False, 0),
        *(_of_metric(run, metric.title) if metric else usual),
        Column("host p50", _p50, True, 0),
        *_interval(run, lambda c: intervals.milliseconds(c.latency.interval_ms if c.latency else None), 6),
        Column("host speed-up", _speed_up, True, 2),
        *_interval(run, lambda c: intervals.ratio(c.speed_up_interval), 7),
        Column("size", lambda _, c: units.size(c.artifact.size_bytes if c.artifact else None), True, 4),
        Column("process memory", _memory, True, 5),
        Column("int8", lambda _, c: units.percent(c.artifact.int8_mac_share if c.artifact else None, 0), True, 10),
        Column("numerics", lambda _, c: c.artifact.numerics if c.artifact else "–", False, 11),
        Column("float layers", lambda _, c: str(c.artifact.float_layer_count) if c.artifact else "–", True, 12),
        Column("provider / delegate", _delegate, False, 13),
        Column("verified", _verified, False, 14),
        *((replace(usual[0], rank=15),) if metric else ()),
    )


def _of_metric(run: Run, title: str) -> tuple[Column, ...]:
    """The columns of the metric that the spec names."""
    value, change = cell(score_text), cell(change_text)
    return (
        Column(title, lambda _, c: value(c), True, 1),
        *_interval(run, cell(score_interval), 9),
        Column("change", lambda _, c: change(c), True, 3),
        *_interval(run, cell(change_interval), 8),
    )


def _interval(run: Run, text: Callable[[Candidate], str], rank: int) -> tuple[Column, ...]:
    """The column of an interval; none where no candidate has one."""
    if all(text(candidate) == "–" for candidate in run.candidates):
        return ()
    return (Column("interval", lambda _, candidate: text(candidate), True, rank),)


def _p50(run: Run, candidate: Candidate) -> str:
    return _alone(run, candidate, units.milliseconds(candidate.p50_ms))


def _speed_up(run: Run, candidate: Candidate) -> str:
    return _alone(run, candidate, units.ratio(speed_up(run, candidate)))


def _alone(run: Run, candidate: Candidate, text: str) -> str:
    """In parentheses where it is not from the final round."""
    return f"({text})" if text != "–" and outside_round(run, candidate) else text


def _memory(_: Run, candidate: Candidate) -> str:
    measurement = candidate.measurement()
    return units.size(measurement.peak_rss_bytes if measurement else None)


def _delegate(_: Run, candidate: Candidate) -> str:
    measurement = candidate.measurement()
    return measurement.conditions.delegate if measurement else "–"


def _agreement(_: Run, candidate: Candidate) -> str:
    return units.percent(candidate.verification.top1_agreement if candidate.verification else None)


def _verified(_: Run, candidate: Candidate) -> str:
    if candidate.verification is None:
        return "no"
    return "yes" if candidate.verification.passed else "failed"
