"""Chooses among candidates."""

from __future__ import annotations

from dataclasses import replace

from edgevit.results.candidate import Candidate
from edgevit.spec.schemes import SCHEMES


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


def lost_by_integers(candidates: tuple[Candidate, ...], plan: str, max_drop: float) -> bool:
    """Whether all integer candidates of a token plan lose too much, and those without a plan do not.

    Args:
        candidates: Of one backend.
        plan: As its pass records have it.
        max_drop: Percentage points allowed.
    """
    return _integers_lose(candidates, plan, max_drop) and not _integers_lose(candidates, None, max_drop)


def _integers_lose(candidates: tuple[Candidate, ...], plan: str | None, max_drop: float) -> bool:
    integers = [c for c in candidates if not SCHEMES[c.scheme].is_float and _plan_of(c) == plan]
    return bool(integers) and all(_least_lost(candidate) > max_drop + 1e-9 for candidate in integers)


def _plan_of(candidate: Candidate) -> str | None:
    plans = [done.settings for done in candidate.passes if done.name in ("reduce_tokens", "resize")]
    return plans[-1] if plans else None


def _least_lost(candidate: Candidate) -> float:
    """Of all attempts at it; 0 where nothing is known, as without images."""
    return min((a.drop_points for a in candidate.attempts if a.drop_points is not None), default=0.0)


_AS_FAST = 0.9
"""Of the best speed. Forms this close in float are both quantized: int8 need not favour the same one."""


def choose_form(alternatives: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Rejects those of several float candidates that compute the same in a worse way.

    The best has the fewest kinds of ops that devices of the run cannot execute, then measured fastest. Those as good
    but for a tenth of the speed stay too, for what is made of them to be compared.

    Args:
        alternatives: Of one backend. Those that failed or were not measured stay as they are.

    Returns:
        The same candidates, in their order.
    """
    measured = [c for c in alternatives if c.speed_up is not None and c.status != "failed"]
    if len(measured) < 2:
        return alternatives
    best = min(measured, key=lambda candidate: (_missing_ops(candidate), -(candidate.speed_up or 0), candidate.id))
    return tuple(
        replace(candidate, status="rejected", reasons=(*candidate.reasons, _why_not(candidate, best)))
        if candidate in measured and _is_worse(candidate, best)
        else candidate
        for candidate in alternatives
    )


def _is_worse(candidate: Candidate, best: Candidate) -> bool:
    slower = (candidate.speed_up or 0) < _AS_FAST * (best.speed_up or 0)
    return slower or _missing_ops(candidate) > _missing_ops(best)


def _missing_ops(candidate: Candidate) -> int:
    return sum(len(prediction.unsupported_ops) for prediction in candidate.predictions)


def _why_not(candidate: Candidate, best: Candidate) -> str:
    if _missing_ops(candidate) > _missing_ops(best):
        return f"{best.id} computes the same with ops that more of the devices have"
    return (
        f"{best.id} computes the same and is faster: {best.speed_up:.2f} × against {candidate.speed_up:.2f} ×"
        f" the speed of {candidate.parent}"
    )


def _runs_on(candidate: Candidate, devices: tuple[str, ...]) -> bool:
    able = {prediction.device for prediction in candidate.predictions if prediction.supported}
    return able >= set(devices)
