"""The table of candidates as text cells, the same for the report and for the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgevit import units
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import Prediction
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


def speed_up(run: Run, candidate: Candidate) -> float | None:
    """Returns how many times faster a candidate is than its reference on this host; None where one was not measured.

    It is the interleaved measurement of both where there is one, which repeats better, else the ratio of the medians.
    """
    if candidate.speed_up is not None:
        return candidate.speed_up
    reference = reference_of(run, candidate)
    before, after = reference.p50_ms if reference else None, candidate.p50_ms
    return before / after if before and after else None


def status_of(run: Run, candidate: Candidate) -> str:
    """Returns "chosen", or the candidate's status."""
    return "chosen" if candidate.id == run.selected else candidate.status


def has_labels(run: Run) -> bool:
    """Returns whether accuracy was evaluated on labelled images for any candidate."""
    return any(c.accuracy is not None and c.accuracy.top1 is not None for c in run.candidates)


def interval(prediction: Prediction) -> str:
    """Returns the interval of a predicted latency, or "cannot run"."""
    latency = prediction.latency_ms
    if latency is None:
        return "cannot run"
    return f"{units.milliseconds(latency.low)} to {units.milliseconds(latency.high)}"


def columns(run: Run) -> tuple[Column, ...]:
    """Returns the columns of a run's table, with agreement instead of accuracy where there are no labels."""
    labelled = (
        Column("top-1", lambda _, c: units.percent(c.accuracy.top1 if c.accuracy else None), True, 1),
        Column("change", lambda _, c: units.accuracy_change(c.accuracy.drop_points if c.accuracy else None), True, 3),
    )
    unlabelled = (Column("agreement", _agreement, True, 1),)
    return (
        Column("candidate", lambda _, c: c.id, False, 0),
        Column("status", status_of, False, 0),
        *(labelled if has_labels(run) else unlabelled),
        Column("p50", lambda _, c: _latency(c, "p50"), True, 0),
        Column("p90", lambda _, c: _latency(c, "p90"), True, 6),
        Column("speed-up", lambda r, c: units.ratio(speed_up(r, c)), True, 2),
        Column("memory", _memory, True, 5),
        Column("size", lambda _, c: units.size(c.artifact.size_bytes if c.artifact else None), True, 4),
        Column("int8", lambda _, c: units.percent(c.artifact.int8_mac_share if c.artifact else None, 0), True, 7),
        Column("numerics", lambda _, c: c.artifact.numerics if c.artifact else "–", False, 8),
        Column("float layers", lambda _, c: str(c.artifact.float_layer_count) if c.artifact else "–", True, 9),
        Column("provider / delegate", _delegate, False, 10),
        Column("verified", _verified, False, 11),
    )


def _latency(candidate: Candidate, statistic: str) -> str:
    measurement = candidate.measurement()
    return units.milliseconds(getattr(measurement.latency_ms, statistic) if measurement else None)


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
