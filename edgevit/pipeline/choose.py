"""Judges candidates by what the stages found out, and chooses one: every reason to reject one is decided here.

Pure: nothing is run, read or written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from edgevit.results.candidate import Accuracy, Candidate, Verification, within_budget
from edgevit.spec.schemes import SCHEMES

_AS_FAST = 0.9
"""Of the best speed. Forms this close in float are both quantized: int8 need not favour the same one."""


@dataclass(frozen=True)
class Limits:
    """What candidates of a run are judged by."""

    max_drop: float
    """Accuracy drop allowed, in percentage points."""
    keeps_slow_static_int8: bool = False
    """Whether a device of the run has static int8 alone, so that such a candidate may be slower on this host."""


@dataclass(frozen=True)
class _Finding:
    """Something that people have to know of a candidate."""

    reason: str
    rejects: bool = True


def judge(candidate: Candidate, parent: Candidate | None, limits: Limits) -> Candidate:
    """Sets the status of a candidate, and the reasons, by what is known of it so far.

    It failed if it differs from the model that it came from; it is rejected if it loses too much accuracy, or is not
    faster than its float parent.

    Args:
        candidate: After any of its steps.
        parent: Float candidate that it is compared with; None for the dense float one.
        limits: What it is judged by.
    """
    if candidate.verification and not candidate.verification.passed:
        return mark_failed(candidate, _difference(candidate.verification))
    found = (*_judge_accuracy(candidate, limits.max_drop), *_judge_latency(candidate, parent, limits))
    rejected = any(finding.rejects for finding in found)
    return replace(
        candidate, status="rejected" if rejected else "ok", reasons=tuple(finding.reason for finding in found)
    )


def mark_failed(candidate: Candidate, reason: str) -> Candidate:
    """Returns a candidate that does not continue, with one reason more."""
    return replace(candidate, status="failed", reasons=(*candidate.reasons, reason))


def counted_drop(accuracy: Accuracy) -> float | None:
    """Returns what counts against the budget, in percentage points.

    Returns:
        The drop of top-1; without labels the share of the images that get another class than from the original float
        model; None where neither is known.
    """
    if accuracy.top1 is not None:
        return accuracy.drop_points
    return None if accuracy.agreement is None else 100 * (1 - accuracy.agreement)


def _difference(verification: Verification) -> str:
    left_out = f", {verification.undecided} images left out as undecided" if verification.undecided else ""
    return (
        f"differs from {verification.reference} by {verification.max_rel_diff:.1e} (relative), top-1 agreement "
        f"{verification.top1_agreement:.4f} on {verification.samples} images{left_out}"
    )


def _judge_accuracy(candidate: Candidate, limit: float) -> Iterator[_Finding]:
    if candidate.accuracy is None:
        return
    drop = counted_drop(candidate.accuracy)
    best_of = f"; best of {len(candidate.attempts)} attempts" if len(candidate.attempts) > 1 else ""
    if drop is None:
        if candidate.scheme != "fp32" or candidate.passes:  # else nothing can be lost
            yield _Finding(f"accuracy unknown: give images with --data or --calibration{best_of}")
        return
    if within_budget(drop, limit):
        return
    if candidate.accuracy.top1 is not None:
        yield _Finding(f"drops {drop:.1f} points, {limit:g} allowed{best_of}")
    else:
        yield _Finding(f"disagrees with the float model on {drop:.1f} % of the images, {limit:g} % allowed{best_of}")


def _judge_latency(candidate: Candidate, parent: Candidate | None, limits: Limits) -> Iterator[_Finding]:
    if parent is None or candidate.p50_ms is None:
        return
    if candidate.speed_up is None:
        yield _Finding(f"cannot be compared: {parent.id} was not measured")
        return
    if candidate.speed_up > 1:
        return
    step = candidate.contributions[-1]
    slower = (
        f"slower than {parent.id}: {step.ms_after:.3g} ms against {step.ms_before:.3g} ms"
        f" ({candidate.speed_up:.2f} ×, interleaved)"
    )
    if limits.keeps_slow_static_int8 and SCHEMES[candidate.scheme].calibrated:
        yield _Finding(f"{slower}; kept, for a device of this run needs static int8", rejects=False)
    else:
        yield _Finding(slower + _likely_cause(candidate, parent))


def _likely_cause(candidate: Candidate, parent: Candidate) -> str:
    """What in the file may make it slow: more delegate partitions than the parent has, or conversions of numbers."""
    delegates = [measurement.conditions.delegate for each in (candidate, parent) if (measurement := each.measurement())]
    parts = [f"runs as {' against '.join(delegates)}"] if len(set(delegates)) > 1 else []
    if candidate.artifact and candidate.artifact.conversions:
        parts.append(f"{candidate.artifact.conversions} conversions between number formats")
    if candidate.artifact and candidate.artifact.float_layer_count:
        parts.append(f"{candidate.artifact.float_layer_count} layers in float")
    return f"; {', '.join(parts)}" if parts else ""


def reject_worse_forms(alternatives: tuple[Candidate, ...]) -> dict[str, Candidate]:
    """Rejects those of several float candidates that compute the same in a worse way.

    The best has the fewest kinds of ops that devices of the run cannot execute, then measured fastest. Those as good
    but for a tenth of the speed stay too, for what is made of them to be compared.

    Args:
        alternatives: Of one backend. Those that failed or were not measured are not judged.

    Returns:
        The rejected ones by id.
    """
    measured = [c for c in alternatives if c.speed_up is not None and c.status != "failed"]
    if len(measured) < 2:
        return {}
    best = min(measured, key=lambda candidate: (_missing_ops(candidate), -(candidate.speed_up or 0), candidate.id))
    return {
        candidate.id: replace(candidate, status="rejected", reasons=(*candidate.reasons, _why_worse(candidate, best)))
        for candidate in measured
        if _is_worse(candidate, best)
    }


def _is_worse(candidate: Candidate, best: Candidate) -> bool:
    slower = (candidate.speed_up or 0) < _AS_FAST * (best.speed_up or 0)
    return slower or _missing_ops(candidate) > _missing_ops(best)


def _missing_ops(candidate: Candidate) -> int:
    return sum(len(prediction.unsupported_ops) for prediction in candidate.predictions)


def _why_worse(candidate: Candidate, best: Candidate) -> str:
    if _missing_ops(candidate) > _missing_ops(best):
        return f"{best.id} computes the same with ops that more of the devices have"
    return (
        f"{best.id} computes the same and is faster: {best.speed_up:.2f} × against {candidate.speed_up:.2f} ×"
        f" the speed of {candidate.parent}"
    )


def ends_policy(candidate: Candidate, parent: Candidate) -> bool:
    """Returns whether no further scheme of the policy is tried for a float candidate.

    The next scheme is for a usable float candidate whose quantized one is not usable.

    Args:
        candidate: Made by the last scheme that was tried.
        parent: Float candidate that it was made from.
    """
    return candidate.status == "ok" or parent.status != "ok"


def int8_exceeds_budget(candidates: tuple[Candidate, ...], plan: str, max_drop: float) -> bool:
    """Returns whether all integer candidates of a token plan lose too much, and those without a plan do not.

    Args:
        candidates: Of one backend.
        plan: As its pass records have it.
        max_drop: Percentage points allowed.
    """
    return _integers_lose(candidates, plan, max_drop) and not _integers_lose(candidates, None, max_drop)


def _integers_lose(candidates: tuple[Candidate, ...], plan: str | None, max_drop: float) -> bool:
    integers = [c for c in candidates if not SCHEMES[c.scheme].is_float and _plan_of(c) == plan]
    return bool(integers) and not any(within_budget(_least_drop(candidate), max_drop) for candidate in integers)


def _plan_of(candidate: Candidate) -> str | None:
    plans = [done.settings for done in candidate.passes if done.name in ("reduce_tokens", "resize")]
    return plans[-1] if plans else None


def _least_drop(candidate: Candidate) -> float:
    """Of all attempts at it, in percentage points; 0 where nothing is known, as without images."""
    return min((a.drop_points for a in candidate.attempts if a.drop_points is not None), default=0.0)


def choose(candidates: tuple[Candidate, ...], npus: tuple[str, ...] = ()) -> str | None:
    """Returns the id of the fastest usable candidate on this host, or None if there is none.

    Usable ones were measured and not rejected; the id breaks a tie, so that the same measurements always give the same
    choice.

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
