"""Judges candidates by what the stages found out, and chooses one: every reason to reject one is decided here.

Pure: nothing is run, read or written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from edgevit.results.candidate import Accuracy, Candidate, Verification, within_budget
from edgevit.results.measurement import HOST, Prediction, RoundLatency
from edgevit.results.metric import MetricScore
from edgevit.results.predicted_order import PredictedOrder
from edgevit.results.proportions import proportion_interval
from edgevit.results.ranking import compare_speed, fastest_first, fastest_on
from edgevit.spec.schemes import SCHEMES

_AS_FAST = 0.9
"""Of the best speed. Forms this close in float are both quantized: int8 need not favour the same one."""
_FLOAT_WEIGHTS = 0.1
"""Share of a quantized artifact's weights in float from which it is said."""
_NAMED = 3
_TOLD_APART = 2 / 3
"""Probability of being slower on a device from which a candidate is no longer tied with the first: odds of two to one."""


@dataclass(frozen=True)
class Limits:
    """What candidates of a run are judged by."""

    max_drop: float
    """Drop allowed, in percentage points, or in the unit of the metric that candidates are judged by."""
    for_device: bool = False
    """Whether the choice is for devices or boards, so that a candidate may be slower than its float parent on this host."""


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
    found = (
        *_judge_label(candidate),
        *_judge_accuracy(candidate, limits.max_drop),
        *_judge_latency(candidate, parent, limits),
    )
    rejected = any(finding.rejects for finding in found)
    return replace(
        candidate, status="rejected" if rejected else "ok", reasons=tuple(finding.reason for finding in found)
    )


def mark_failed(candidate: Candidate, reason: str) -> Candidate:
    """Returns a candidate that does not continue, with one reason more."""
    return replace(candidate, status="failed", reasons=(*candidate.reasons, reason))


def mark_rejected(candidate: Candidate, reason: str) -> Candidate:
    """Returns a candidate that cannot be chosen, with one reason more."""
    return replace(candidate, status="rejected", reasons=(*candidate.reasons, reason))


def counted_drop(accuracy: Accuracy) -> float | None:
    """Returns what counts against the budget.

    Returns:
        The drop of the metric of the spec, in its unit, else that of top-1 in percentage points, without labels the share of
        the images that get another class than from the original float model; None where it is not known.
    """
    return accuracy.judged.drop if accuracy.judged else None


def may_keep_budget(accuracy: Accuracy, max_drop: float) -> bool:
    """Returns whether accuracy on some of the images leaves open that the drop on all of them is allowed.

    Args:
        accuracy: On a part of the images.
        max_drop: In the unit of :func:`counted_drop`.
    """
    judged = accuracy.judged
    if judged is None:
        return True
    if judged.drop_interval is not None:
        return within_budget(judged.drop_interval.low, max_drop)
    if judged.name != "agreement":
        return True
    changed = round((1 - judged.value) * accuracy.samples)
    return within_budget(100 * proportion_interval(changed, accuracy.samples).low, max_drop)


def _difference(verification: Verification) -> str:
    left_out = f", {verification.undecided} images left out as undecided" if verification.undecided else ""
    return (
        f"differs from {verification.reference} by {verification.max_rel_diff:.1e} (relative), top-1 agreement "
        f"{verification.top1_agreement:.4f} on {verification.samples} images{left_out}"
    )


def _judge_label(candidate: Candidate) -> Iterator[_Finding]:
    """Says which layers stayed float, where they hold so many of the weights that the file is larger than its name says."""
    artifact = candidate.artifact
    if artifact is None or artifact.float_weight_share < _FLOAT_WEIGHTS:
        return
    names, more = artifact.float_layers[:_NAMED], len(artifact.float_layers) - _NAMED
    yield _Finding(
        f"{100 * artifact.float_weight_share:.0f} % of the weights of its layers stayed float: {', '.join(names)}"
        + (f" and {more} more" if more > 0 else ""),
        rejects=False,
    )


def _judge_accuracy(candidate: Candidate, limit: float) -> Iterator[_Finding]:
    if candidate.accuracy is None:
        return
    judged = candidate.accuracy.judged
    best_of = f"; best of {len(candidate.attempts)} attempts" if len(candidate.attempts) > 1 else ""
    if judged is None or judged.drop is None:
        if candidate.scheme != "fp32" or candidate.passes:  # else nothing can be lost
            yield _Finding(f"accuracy unknown: give images with --data or --calibration{best_of}")
        return
    if within_budget(judged.drop, limit):
        yield from _judge_noise(candidate, judged, limit)
    elif judged.name == "agreement":
        yield _Finding(
            f"disagrees with the float model on {judged.drop:.1f} % of the images, {limit:g} % allowed{best_of}"
        )
    else:
        yield _Finding(f"{_drops(judged)}, {limit:g} allowed{best_of}")


def _judge_noise(candidate: Candidate, judged: MetricScore, limit: float) -> Iterator[_Finding]:
    interval = judged.drop_interval
    changed = candidate.scheme != "fp32" or candidate.passes
    if changed and interval and not within_budget(interval.high, limit):
        unit = " points" if judged.unit == "%" else f" {judged.unit}".rstrip()
        yield _Finding(f"the limit of {limit:g}{unit} is met only within noise: {_drops(judged)}", rejects=False)


def _drops(judged: MetricScore) -> str:
    """How much is lost, and its interval: "drops 1.2 points (0.4 to 2.0)" of top-1, "balanced drops 0.03" of another metric."""
    assert judged.drop is not None
    digits = ".1f" if judged.unit == "%" else ".3g"
    unit = " points" if judged.unit == "%" else f" {judged.unit}".rstrip()
    name = "" if judged.name == "top1" else f"{judged.title} "
    interval = judged.drop_interval
    between = f" ({interval.low:{digits}} to {interval.high:{digits}})" if interval else ""
    return f"{name}drops {judged.drop:{digits}}{unit}{between}"


def _judge_latency(candidate: Candidate, parent: Candidate | None, limits: Limits) -> Iterator[_Finding]:
    if parent is None or candidate.p50_ms is None:
        return
    if candidate.speed_up is None:
        if parent.status == "failed":
            yield _Finding(f"cannot be compared: {parent.id} was not measured")
        return
    if candidate.speed_up > 1:
        return
    slower = _slower(candidate, parent)
    if limits.for_device:
        yield _Finding(f"{slower}; no reason to reject it: the choice is not for this host", rejects=False)
    else:
        yield _Finding(slower + _likely_cause(candidate, parent))


def _slower(candidate: Candidate, parent: Candidate) -> str:
    interval = candidate.speed_up_interval
    if interval is None:
        step = candidate.contributions[-1]
        compared = f"{step.ms_after:.3g} ms against {step.ms_before:.3g} ms"
        return f"slower than {parent.id}: {compared} ({candidate.speed_up:.2f} ×, interleaved)"
    word = "not faster" if interval.contains(1.0) else "slower"
    ratio = f"{candidate.speed_up:.2f} × its speed ({interval.low:.2f} to {interval.high:.2f})"
    return f"{word} than {parent.id}: {ratio} in the same rounds"


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
        f" the speed of {candidate.parent}, as first compared"
    )


def ends_policy(candidate: Candidate, parent: Candidate) -> bool:
    """Returns whether no further scheme of the policy is tried for a float candidate.

    The next scheme is for a usable float candidate whose quantized one is not usable.

    Args:
        candidate: Made by the last scheme that was tried.
        parent: Float candidate that it was made from.
    """
    return candidate.status == "ok" or parent.status != "ok"


def misses_budget(candidates: tuple[Candidate, ...], max_drop: float) -> bool:
    """Returns whether all that was made of a token plan loses too much: of what was quantized, where something was.

    Args:
        candidates: Of one backend and plan.
        max_drop: Drop allowed, in the unit of :func:`counted_drop`.
    """
    quantized = [candidate for candidate in candidates if not SCHEMES[candidate.scheme].is_float]
    drops = _known_drops(quantized) or _known_drops(candidates)
    return bool(drops) and not any(within_budget(drop, max_drop) for drop in drops)


def _known_drops(candidates: Iterable[Candidate]) -> list[float]:
    drops = (counted_drop(candidate.accuracy) for candidate in candidates if candidate.accuracy)
    return [drop for drop in drops if drop is not None]


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


def rank_by_rounds(
    candidates: tuple[Candidate, ...], rounds: Mapping[str, RoundLatency], limits: Limits
) -> tuple[Candidate, ...]:
    """Gives candidates the latency and the speed-up of the final round, and judges them again by these.

    What had no part in the round stays as it is. Reasons that :func:`judge` does not give, such as a better form of the
    same, stay too.

    Args:
        candidates: All of a run, in any order.
        rounds: Latency by the id of the candidate.
        limits: What candidates are judged by.
    """
    before = {candidate.id: candidate for candidate in candidates}
    after = before | {name: replace(before[name], latency=latency) for name, latency in rounds.items()}
    judged = (_rejudge(before[name], after[name], after.get(after[name].parent or ""), limits) for name in rounds)
    return tuple((after | {candidate.id: candidate for candidate in judged}).values())


def _rejudge(before: Candidate, timed: Candidate, parent: Candidate | None, limits: Limits) -> Candidate:
    """Judges a candidate by the final round.

    Args:
        before: The candidate as it was.
        timed: With the latency of the final round.
        parent: Its float candidate, with the latency of the final round if it took part; None for a dense float one.
        limits: What it is judged by.
    """
    if before.status == "failed":
        return timed
    other_reasons = tuple(set(before.reasons) - set(judge(before, parent, limits).reasons))
    ratio = compare_speed(timed, parent) if parent else None
    if ratio:
        timed = replace(timed, speed_up=ratio.median, speed_up_interval=ratio.interval)
    judged = judge(timed, parent, limits)
    status = before.status if other_reasons else judged.status
    kept = tuple(reason for reason in before.reasons if reason in other_reasons)
    return replace(judged, status=status, reasons=(*judged.reasons, *kept))


@dataclass(frozen=True)
class Selections:
    """The choice for each board and device of a run, or for this host."""

    selected_for: dict[str, str | None]
    """Id by board or device, or by "host"; None where nothing usable runs there."""
    tied: dict[str, tuple[str, ...]]
    """Ids that cannot be told from the chosen one in speed."""
    notes: tuple[str, ...]
    """Why there is none, for each device without one; empty where nothing was measured or predicted."""

    @property
    def selected(self) -> str | None:
        """The choice for the first board or device."""
        return next(iter(self.selected_for.values()))


def choose(
    candidates: tuple[Candidate, ...],
    devices: tuple[str, ...] = (),
    order: Mapping[str, PredictedOrder] = MappingProxyType({}),
    boards: tuple[str, ...] = (),
) -> Selections:
    """Chooses the fastest usable candidate for each board and each device, or, without any, for this host.

    For this host and for a board it is the fastest by the paired ratios of the rounds there; another one ties with it if the
    interval of their ratio contains 1. For a device, candidates that run there are ranked by their predicted medians; another one ties
    with the first while the odds that the first is the faster of the two are less than two to one. The intervals of
    predictions are no measure of that: much of their width is an error that all predictions for a device share, and which
    does not change their order. What is left is in ``order``.

    Of those that tie, the one of the higher accuracy is chosen, then the smaller file, then the first id, so that the
    same measurements always give the same choice.

    Args:
        candidates: All of a run.
        devices: Names, in the order of the run.
        order: How sure the order of the usable ones is, by device; where it is not known, only what is predicted to be
            as fast ties.
        boards: Names, in the order of the run; they come before devices.
    """
    usable = tuple(candidate for candidate in candidates if candidate.status == "ok")
    judged = any(candidate.p50_ms is not None or candidate.predictions for candidate in candidates)
    fast = {name: _fastest_measured(usable, name) for name in boards}
    fast |= {name: _fastest_predicted(name, usable, order.get(name)) for name in devices}
    fast = fast or {HOST: _fastest_here(usable)}
    best = {name: min(group, key=_preference, default=None) for name, group in fast.items()}
    return Selections(
        {name: candidate.id if candidate else None for name, candidate in best.items()},
        {name: tuple(other.id for other in fast[name] if other is not best[name]) for name in fast},
        tuple(
            dict.fromkeys(
                _why_none(candidates, name, is_board=name in boards) for name in best if judged and best[name] is None
            )
        ),
    )


def _fastest_here(usable: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The fastest on this host and all that tie with it, fastest first."""
    measured = fastest_first(candidate for candidate in usable if candidate.p50_ms is not None)
    return tuple(candidate for candidate in measured if not _is_slower(candidate, measured[0], HOST))


def _fastest_measured(usable: Iterable[Candidate], board: str) -> tuple[Candidate, ...]:
    """The fastest in the rounds on a board and all that tie with it, fastest first."""
    measured = fastest_on(usable, board)
    return tuple(candidate for candidate in measured if not _is_slower(candidate, measured[0], board))


def _is_slower(candidate: Candidate, fastest: Candidate, device: str) -> bool:
    ratio = compare_speed(fastest, candidate, device)
    if ratio is None:  # a run without a final round, or a candidate that had no part in it
        return candidate.latency is not fastest.latency or candidate.p50_ms != fastest.p50_ms
    return ratio.interval.low > 1


def _fastest_predicted(device: str, usable: Iterable[Candidate], order: PredictedOrder | None) -> tuple[Candidate, ...]:
    """The fastest on a device and all that tie with it, fastest first."""
    predicted = sorted(
        (prediction.latency_ms.p50, candidate.id, candidate)
        for candidate in usable
        if (prediction := candidate.prediction(device)) and prediction.supported and prediction.latency_ms
    )
    slower = order.slower if order else {}
    return tuple(
        candidate for ms, name, candidate in predicted if slower.get(name, float(ms > predicted[0][0])) < _TOLD_APART
    )


def _preference(candidate: Candidate) -> tuple[float, float, str]:
    """The least is preferred among candidates that tie."""
    size = candidate.artifact.size_bytes if candidate.artifact else float("inf")
    return -_quality(candidate), size, candidate.id


def _quality(candidate: Candidate) -> float:
    """By the metric of the spec, else top-1, or without labels the agreement with the float model."""
    accuracy, verification = candidate.accuracy, candidate.verification
    if accuracy and accuracy.judged:
        return accuracy.judged.value
    return (verification.top1_agreement or 0.0) if verification else 0.0


def _why_none(candidates: tuple[Candidate, ...], device: str, *, is_board: bool) -> str:
    usable = [candidate for candidate in candidates if candidate.status == "ok"]
    if not usable:
        return "no candidate is usable: each was rejected or failed, for the reasons given"
    if device == HOST:
        return "no usable candidate was measured"
    if is_board:
        return f"no usable candidate was measured on {device}"
    missing = (
        f"{candidate.id}: {_first_missing(prediction)}"
        for candidate in usable
        if (prediction := candidate.prediction(device))
    )
    rejected = [c.id for c in candidates if c.status == "rejected" and (p := c.prediction(device)) and p.supported]
    but = f"; what runs there was rejected: {', '.join(rejected)}" if rejected else ""
    return f"no usable candidate runs on {device}: {'; '.join(missing) or 'nothing was predicted for it'}{but}"


def _first_missing(prediction: Prediction) -> str:
    first, *more = prediction.unsupported_ops or (f"no latency is predicted for its {prediction.unit}",)
    return f"{first} and {len(more)} more" if more else first
