"""Chooses among candidates."""

from __future__ import annotations

from edgevit.results import Candidate


def choose(candidates: tuple[Candidate, ...], npus: tuple[str, ...] = ()) -> str | None:
    """Returns the id of the fastest usable candidate on this host, or None if there is none.

    Usable ones passed verification, keep the accuracy drop and are not slower than their float parent; the id
    breaks a tie, so that the same measurements always give the same choice.

    Args:
        candidates: All of a run.
        npus: Devices that run what a processor runs slowly: of what is usable, only what all of them support is
            considered, if there is any.
    """
    usable = [candidate for candidate in candidates if candidate.status == "ok" and candidate.p50_ms is not None]
    supported = [candidate for candidate in usable if npus and _runs_on(candidate, npus)]
    ranked = [(candidate.p50_ms, candidate.id) for candidate in supported or usable]
    return min(ranked)[1] if ranked else None


def _runs_on(candidate: Candidate, devices: tuple[str, ...]) -> bool:
    able = {prediction.device for prediction in candidate.predictions if prediction.supported}
    return able >= set(devices)
