"""The line about a candidate that is finished, for those who watch a run."""

from __future__ import annotations

from edgevit import units
from edgevit.results.candidate import Candidate


def candidate_line(candidate: Candidate) -> str:
    """Returns what a candidate reached, or why it cannot be used.

    Args:
        candidate: As far as it is known; latency may be missing.
    """
    parts = [*_accuracy(candidate), *_latency(candidate)]
    if candidate.artifact is not None:
        parts.append(units.size(candidate.artifact.size_bytes))
    found = ", ".join(parts)
    if candidate.status == "ok":
        return f"{candidate.id}: {found or 'made'}"
    why = f"{candidate.status}: {'; '.join(candidate.reasons)}"
    return f"{candidate.id}: {found}; {why}" if found else f"{candidate.id}: {why}"


def _accuracy(candidate: Candidate) -> list[str]:
    accuracy = candidate.accuracy
    if accuracy is None:
        return []
    judged = accuracy.judged
    if judged is None:
        return []
    change = "" if judged.drop is None else f" ({units.metric_change(judged.drop, judged.unit)})"
    value = f"{judged.title} {units.metric(judged.value, judged.unit)}"
    return [value] if judged.name == "agreement" else [f"{value}{change}"]


def _latency(candidate: Candidate) -> list[str]:
    faster = [] if candidate.speed_up is None else [f"{units.ratio(candidate.speed_up)} the float parent's speed"]
    if candidate.p50_ms is None:
        return faster
    return [f"first measured {units.milliseconds(candidate.p50_ms)}", *faster]
