"""Chooses among candidates."""

from __future__ import annotations

from edgevit.results import Candidate


def choose(candidates: tuple[Candidate, ...]) -> str | None:
    """Returns the id of the fastest usable candidate on this host, or None if there is none.

    Usable ones passed verification, keep the accuracy drop and are not slower than their float parent; the id
    breaks a tie, so that the same measurements always give the same choice.
    """
    usable = [
        (latency, candidate.id)
        for candidate in candidates
        if candidate.status == "ok" and (latency := candidate.p50_ms) is not None
    ]
    return min(usable)[1] if usable else None
