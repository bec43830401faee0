"""Judges a run against a budget. Pure, and fails closed: a value that is not known never passes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from edgevit import units
from edgevit.errors import ExitCode, unknown_name
from edgevit.gate.budget import Budget
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Interval, Measurement, Prediction, RoundLatency
from edgevit.results.ranking import find_candidate
from edgevit.results.run import Run

_ROUNDING = 1e-6
"""By which values that were computed from each other may differ: of fractions, of points and of ms."""

Outcome = Literal["pass", "fail", "inconclusive"]
Metric = Literal[
    "candidate",
    "artifact",
    "size",
    "accuracy drop",
    "metric drop",
    "latency p50",
    "peak process memory",
    "peak tensor memory",
]
Unit = Literal["", "bytes", "points", "ms"]
Source = Literal["run", "file", "evaluated", "measured", "predicted", "none"]
"""Where a value is from: "run" means the candidate's status and verification, "none" that there is no value."""


@dataclass(frozen=True)
class Check:
    """One limit tested."""

    metric: Metric
    device: str | None
    """Device name, or None where the metric has none."""
    operator: Literal["<=", "is"]
    limit: float | None
    """In ``unit``; None for the check that the candidate is usable."""
    actual: float | None
    """In ``unit``; p50 of a predicted latency, middle of a predicted memory; None where there is no finite value."""
    unit: Unit
    source: Source
    verdict: Outcome
    message: str
    low: float | None = None
    """Lower end of the interval of ``actual``, in ``unit``; None where it has none."""
    high: float | None = None
    """Upper end, likewise."""


@dataclass(frozen=True)
class Verdict:
    """All checks of one candidate."""

    candidate: str | None
    """Id, or None when the run selected none."""
    checks: tuple[Check, ...]
    note: str = ""
    """What people have to know of how it was judged, such as that the artifact's files were not there."""

    @property
    def outcome(self) -> Outcome:
        """Returns "pass" only if there are checks and every one passed."""
        outcomes = {check.verdict for check in self.checks}
        if outcomes == {"pass"}:
            return "pass"
        return "fail" if "fail" in outcomes or not outcomes else "inconclusive"

    @property
    def exit_code(self) -> ExitCode:
        """DONE for a pass, CHECK_FAILED for everything else."""
        return ExitCode.DONE if self.outcome == "pass" else ExitCode.CHECK_FAILED


def decide(run: Run, budget: Budget, candidate: str | None = None) -> Verdict:
    """Judges a candidate and returns its id with the checks; see :func:`judge`.

    Args:
        run: The run.
        budget: The limits.
        candidate: Id or rank; the selected one when None.

    Raises:
        UsageError: it is not in the run.
    """
    name = None if candidate is None else find_candidate(run.candidates, candidate).id
    return Verdict(name or run.selected, judge(run, budget, name))


def judge(run: Run, budget: Budget, candidate_id: str | None = None) -> tuple[Check, ...]:
    """Tests every limit of a budget on one candidate of a run.

    A value that is missing, not finite or impossible is a failed check with a reason, not an error. Where a device was
    measured, predictions for it are not used. Where it has several values (thread counts, compute units), each is a
    check of its own, so that the best does not hide the others.

    Args:
        run: The run.
        budget: The limits.
        candidate_id: Which candidate; the selected one when not given.

    Raises:
        UsageError: ``candidate_id`` is not in the run.
    """
    known = {candidate.id: candidate for candidate in run.candidates}
    if candidate_id is not None and candidate_id not in known:
        raise unknown_name("candidate", candidate_id, known)
    candidate = known.get(candidate_id or run.selected or "")
    if candidate is None:
        reason = f"the selected {run.selected} is not in the run" if run.selected else "the run selected no candidate"
        return tuple(_missing(metric, device, limit, reason) for metric, device, limit in _limits(budget))
    checks = [check for metric, device, limit in _limits(budget) for check in _judge(candidate, metric, device, limit)]
    return (*_usable(candidate), *checks)


def _limits(budget: Budget) -> Iterator[tuple[Metric, str | None, float]]:
    if budget.size_bytes is not None:
        yield "size", None, budget.size_bytes
    if budget.accuracy_drop_points is not None:
        yield "accuracy drop", None, budget.accuracy_drop_points
    if budget.metric_drop is not None:
        yield "metric drop", None, budget.metric_drop
    for device, limits in sorted(budget.devices.items()):
        if limits.latency_p50_ms is not None:
            yield "latency p50", device, limits.latency_p50_ms
        if limits.process_bytes is not None:
            yield "peak process memory", device, limits.process_bytes
        if limits.peak_tensor_bytes is not None:
            yield "peak tensor memory", device, limits.peak_tensor_bytes


_UNITS: dict[Metric, Unit] = {
    "candidate": "",
    "artifact": "",
    "size": "bytes",
    "accuracy drop": "points",
    "metric drop": "",
    "latency p50": "ms",
    "peak process memory": "bytes",
    "peak tensor memory": "bytes",
}


def _usable(candidate: Candidate) -> tuple[Check, ...]:
    """A failed check if the candidate is not ok or not verified in the run, else nothing."""
    verification = candidate.verification
    if candidate.status != "ok":
        reason = f"{candidate.id} was {candidate.status}: {'; '.join(candidate.reasons) or 'no reason recorded'}"
    elif verification is None or verification.samples < 1:
        reason = f"{candidate.id} was not verified against the model it came from"
    elif not verification.passed:
        reason = f"{candidate.id} did not pass verification against {verification.reference}"
    elif verification.top1_agreement is not None and not 0 <= verification.top1_agreement <= 1:
        reason = f"{candidate.id} has a top-1 agreement of {verification.top1_agreement}, which is no share of images"
    else:
        return ()
    return (Check("candidate", None, "is", None, None, "", "run", "fail", reason),)


def _judge(candidate: Candidate, metric: Metric, device: str | None, limit: float) -> list[Check]:
    if metric == "size":
        return [_judge_size(candidate, limit)]
    if metric == "accuracy drop":
        return [_judge_drop(candidate, limit)]
    if metric == "metric drop":
        return [_judge_metric(candidate, limit)]
    assert device is not None, "latency and memory limits name a device"
    measured = [m for m in candidate.measurements if m.device == device]
    if metric == "latency p50" and device == HOST and candidate.latency:
        more = [_judge_measured(m, metric, device, limit) for m in measured[1:]]
        return [_judge_round(candidate.latency, device, limit), *more]
    if measured and metric != "peak tensor memory":
        return [_judge_measured(m, metric, device, limit) for m in measured]
    predicted = [p for p in candidate.predictions if p.device == device]
    if predicted:
        return [_judge_predicted(p, metric, _named(p, predicted), limit) for p in predicted]
    if metric == "peak tensor memory" and measured:
        reason = "tensors are predicted, not measured; the memory of a measured process is limited by peak_rss_bytes"
        return [_missing(metric, device, limit, reason)]
    known = sorted({m.device for m in candidate.measurements} | {p.device for p in candidate.predictions})
    reason = f"neither measured nor predicted; the run has {', '.join(known) or 'no device'}"
    return [_missing(metric, device, limit, reason)]


def _judge_size(candidate: Candidate, limit: float) -> Check:
    if candidate.artifact is None:
        return _missing("size", None, limit, "there is no artifact")
    return _compare("size", None, limit, candidate.artifact.size_bytes, "file")


def _judge_drop(candidate: Candidate, limit: float) -> Check:
    accuracy = candidate.accuracy
    if accuracy is None or accuracy.samples < 1:
        return _missing("accuracy drop", None, limit, "accuracy was not evaluated")
    if accuracy.top1 is None or accuracy.drop_points is None:
        return _missing("accuracy drop", None, limit, "there are no labels, so accuracy is not known")
    if not 0 <= accuracy.top1 <= 1:
        return _missing("accuracy drop", None, limit, f"top-1 is {accuracy.top1}, which is not a number to judge: 0..1")
    before = accuracy.top1 + accuracy.drop_points / 100
    if not -_ROUNDING <= before <= 1 + _ROUNDING:
        reason = f"a drop of {accuracy.drop_points:g} points to a top-1 of {accuracy.top1:g} is not possible"
        return _missing("accuracy drop", None, limit, reason)
    check = _compare("accuracy drop", None, limit, accuracy.drop_points, "evaluated")
    return _with_interval(check, accuracy.drop_interval)


def _judge_metric(candidate: Candidate, limit: float) -> Check:
    """Judges the drop of what the run was judged by, whose name and value the message tells."""
    accuracy = candidate.accuracy
    if accuracy is None or accuracy.samples < 1:
        return _missing("metric drop", None, limit, "no metric was evaluated")
    score = accuracy.judged
    if score is None or score.drop is None:
        return _missing("metric drop", None, limit, "there are no labels and no float model to compare with")
    if not math.isfinite(score.value) or not math.isfinite(score.drop):
        reason = f"{score.title} is {score.value} with a drop of {score.drop}, which is not a number to judge"
        return _missing("metric drop", None, limit, reason)
    verdict: Outcome = "pass" if score.drop <= limit else "fail"
    value, unit = units.metric(score.value, score.unit), "pt" if score.unit == "%" else score.unit
    drop, allowed = (f"{number:.4g} {unit}".rstrip() for number in (score.drop, limit))
    if drop == allowed and score.drop != limit:
        drop = f"{score.drop!r} {unit}".rstrip()
    relation = "limit" if verdict == "pass" else "over the limit of"
    message = f"{score.title} {value}, a drop of {drop}, {relation} {allowed}"
    check = Check("metric drop", None, "<=", limit, score.drop, "", "evaluated", verdict, message)
    interval = score.drop_interval
    if interval is None:
        return check
    within_noise = interval.low <= limit < interval.high or interval.low < limit <= interval.high
    noise = ", so within noise" if within_noise else ""
    between = f" (95 % interval {interval.low:.4g} to {interval.high:.4g}{noise})"
    return replace(check, message=message + between, low=interval.low, high=interval.high)


def _judge_round(latency: RoundLatency, device: str, limit: float) -> Check:
    bursts = latency.bursts_ms
    if not _are_times(bursts) or not min(bursts) - _ROUNDING <= latency.p50_ms <= max(bursts) + _ROUNDING:
        return _missing("latency p50", device, limit, "the bursts of the final round do not give this median")
    check = _compare("latency p50", device, limit, latency.p50_ms, "measured")
    check = _with_interval(check, latency.interval_ms)
    return replace(check, message=f"{check.message}; unstable: {latency.unstable}") if latency.unstable else check


def _with_interval(check: Check, interval: Interval | None) -> Check:
    """Adds the interval of a value that was judged by itself, and whether the limit lies within it."""
    if interval is None or check.limit is None or check.actual is None:
        return check
    low, high = (_rounded(check.unit, end) for end in (interval.low, interval.high))
    within_noise = interval.low <= check.limit < interval.high or interval.low < check.limit <= interval.high
    noise = ", so within noise" if within_noise else ""
    message = f"{check.message} (95 % interval {low} to {high}{noise})"
    return replace(check, message=message, low=interval.low, high=interval.high)


def _judge_measured(measurement: Measurement, metric: Metric, device: str, limit: float) -> Check:
    if not measurement.samples_ms:
        return _missing(metric, device, limit, "the measurement holds no runs")
    found = measurement.latency_ms
    if not _are_times(measurement.samples_ms) or not found.min <= found.p50 <= found.p90 <= found.p99:
        return _missing(metric, device, limit, "the recorded runs and percentiles are no times to judge")
    value = measurement.latency_ms.p50 if metric == "latency p50" else measurement.peak_rss_bytes
    return _compare(metric, device, limit, value, "measured")


def _are_times(samples_ms: tuple[float, ...]) -> bool:
    return bool(samples_ms) and all(0 < sample < math.inf for sample in samples_ms)


def _judge_predicted(prediction: Prediction, metric: Metric, device: str, limit: float) -> Check:
    if prediction.unsupported_ops:
        return _missing(metric, device, limit, f"cannot run there: unsupported {', '.join(prediction.unsupported_ops)}")
    if metric == "peak tensor memory":
        return _compare(metric, device, limit, prediction.peak_tensor_bytes, "predicted")
    latency = prediction.latency_ms
    if metric == "latency p50" and latency is None:
        return _missing(metric, device, limit, f"too little is known of its {prediction.unit} to predict latency")
    if metric == "latency p50" and latency is not None:
        return _judge_interval(metric, device, limit, (latency.low, latency.p50, latency.high))
    memory = prediction.peak_rss_bytes
    if memory is None:
        return _only_tensors(prediction, device, limit)
    return _judge_interval(metric, device, limit, (memory.low, (memory.low + memory.high) / 2, memory.high))


def _only_tensors(prediction: Prediction, device: str, limit: float) -> Check:
    tensors = _rounded("bytes", prediction.peak_tensor_bytes)
    message = (
        f"not known: only its tensors are predicted ({tensors}), and a process takes more than these; measure on the"
        " device, or limit the tensors by peak_tensor_bytes"
    )
    return Check("peak process memory", device, "<=", limit, None, "bytes", "predicted", "inconclusive", message)


def _judge_interval(metric: Metric, device: str, limit: float, predicted: tuple[float, float, float]) -> Check:
    """Judges a prediction, given as the lower end of its interval, its middle and its upper end."""
    low, middle, high = predicted
    unit = _UNITS[metric]
    if not all(map(math.isfinite, predicted)) or not 0 <= low <= middle <= high or high <= 0:
        what = f"the predicted interval {low} to {high} {unit} around {middle} is not one"
        return _missing(metric, device, limit, what)
    texts = _texts(unit, low, high, limit)
    what = f"predicted {texts[0]} to {texts[1]}"
    verdict: Outcome = "pass" if high <= limit else "fail" if low > limit else "inconclusive"
    message = {
        "pass": f"{what}, limit {texts[2]}",
        "fail": f"{what}, all of it over the limit of {texts[2]}",
        "inconclusive": f"{what}, around the limit of {texts[2]}; measure on the device to decide",
    }[verdict]
    return Check(metric, device, "<=", limit, middle, unit, "predicted", verdict, message, low, high)


def _named(prediction: Prediction, others: list[Prediction]) -> str:
    return f"{prediction.device} ({prediction.unit})" if len(others) > 1 else prediction.device


def _compare(metric: Metric, device: str | None, limit: float, value: float, source: Source) -> Check:
    unit = _UNITS[metric]
    if not math.isfinite(value) or (metric != "accuracy drop" and value <= 0):
        return _missing(metric, device, limit, f"the recorded value is {value}, which is not a number to judge")
    actual_text, limit_text = _texts(unit, value, limit)
    word = {"file": "artifact of ", "evaluated": "evaluated "}.get(source, f"{source} ")
    verdict: Outcome = "pass" if value <= limit else "fail"
    relation = "limit" if verdict == "pass" else "over the limit of"
    message = f"{word}{actual_text}, {relation} {limit_text}"
    return Check(metric, device, "<=", limit, float(value), unit, source, verdict, message)


def _missing(metric: Metric, device: str | None, limit: float, reason: str) -> Check:
    return Check(metric, device, "<=", limit, None, _UNITS[metric], "none", "fail", reason)


def _texts(unit: Unit, *values: float) -> tuple[str, ...]:
    """Formats values rounded, or in full where two that differ would be printed alike."""
    rounded = tuple(_rounded(unit, value) for value in values)
    if len(set(rounded)) == len(set(values)):
        return rounded
    suffix = {"bytes": "B", "points": "pt", "ms": "ms", "": ""}[unit]
    return tuple(f"{int(value) if float(value).is_integer() else value!r} {suffix}" for value in values)


def _rounded(unit: Unit, value: float) -> str:
    if unit == "ms":
        return units.milliseconds(value)
    return units.size(value) if unit == "bytes" else units.points(value)
