"""What a run records of an artifact on a device: latency, memory, energy, and what of it runs there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from edgevit import units
from edgevit.gate.reading import ROUNDING, Reading, Subject, checked, missing, with_interval
from edgevit.gate.verdict import Unit
from edgevit.results.candidate import Candidate
from edgevit.results.measurement import HOST, Interval, LatencyMs, Measurement, Prediction, RoundLatency
from edgevit.results.op_support import UnitSupport
from edgevit.results.statistics import quantile_interval

_PARTITIONS = re.compile(r"\b([0-9]{1,9}) partitions?\b")


def latency_p50(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns median latencies in ms: of the rounds on this host or a board, of each measurement, else of each prediction."""
    candidate = subject.candidate
    measured, rounds = _measured(candidate, device), candidate.latency_on(device)
    if rounds:
        return (_of_round(rounds), *(_median(each) for each in measured[1:]))
    if measured:
        return tuple(_median(each) for each in measured)
    return _predicted(candidate, device, "ms", _predicted_latency)


def latency_p90(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns the 90th percentile of the latency in ms, of each measurement."""
    return _percentiles(subject, device, 0.9, lambda latency: latency.p90)


def latency_p99(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns the 99th percentile of the latency in ms, of each measurement."""
    return _percentiles(subject, device, 0.99, lambda latency: latency.p99)


def process_memory(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns the peak resident memory of the process in bytes: of each measurement, else of each prediction."""
    measured = _measured(subject.candidate, device)
    if measured:
        return tuple(_resident(each) for each in measured)
    return _predicted(subject.candidate, device, "bytes", _predicted_memory)


def tensor_memory(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns the predicted memory of weights and activations in bytes."""
    candidate = subject.candidate
    if _measured(candidate, device) and not _predictions(candidate, device):
        reason = "tensors are predicted, not measured; the memory of a measured process is limited by peak_rss_bytes"
        return (missing("bytes", reason),)
    return _predicted(candidate, device, "bytes", _predicted_tensors)


def unsupported_ops(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns how many ops a compute unit does not run."""
    return _predicted(subject.candidate, device, "count", _unsupported, runs=False)


def partitions(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns into how many parts the graph is cut: measured where it ran, else predicted."""
    measured = _measured(subject.candidate, device)
    if device == HOST or (measured and not _predictions(subject.candidate, device)):
        return tuple(_delegated(each) for each in measured) or (_unknown(subject.candidate, "count"),)
    return _predicted(subject.candidate, device, "count", _cut, runs=False)


def energy(subject: Subject, device: str) -> tuple[Reading, ...]:
    """Returns millijoules of one inference, of each measurement."""
    measured = _measured(subject.candidate, device)
    return tuple(_millijoules(each) for each in measured) or (_unknown(subject.candidate, "mJ"),)


def _measured(candidate: Candidate, device: str) -> list[Measurement]:
    return [each for each in candidate.measurements if each.device == device]


def _predictions(candidate: Candidate, device: str) -> list[Prediction]:
    return [each for each in candidate.predictions if each.device == device]


def _unknown(candidate: Candidate, unit: Unit) -> Reading:
    known = sorted({each.device for each in candidate.measurements} | {each.device for each in candidate.predictions})
    return missing(unit, f"neither measured nor predicted; the run has {', '.join(known) or 'no device'}")


def _predicted(
    candidate: Candidate, device: str, unit: Unit, read: Callable[[Prediction], Reading], *, runs: bool = True
) -> tuple[Reading, ...]:
    """Reads every prediction for a device.

    Args:
        candidate: The candidate.
        device: Name of the device.
        unit: Of the values.
        read: Reads one prediction.
        runs: Whether there is a value only where the whole artifact runs.
    """
    found = _predictions(candidate, device)
    if not found:
        return (_unknown(candidate, unit),)
    readings = []
    for each in found:
        name = f"{device} ({each.unit})" if len(found) > 1 else device
        if runs and each.unsupported_ops:
            reading = missing(unit, f"cannot run there: unsupported {', '.join(each.unsupported_ops)}")
        elif each.batch != 1:
            reading = missing(unit, _batch(each.batch, "predicted"))
        else:
            reading = read(each)
        readings.append(replace(reading, device=name))
    return tuple(readings)


def _batch(batch: int, how: str) -> str:
    return f"{how} with {batch} images at once; a limit is for one"


def _of_round(latency: RoundLatency) -> Reading:
    bursts = latency.bursts_ms
    if latency.emulated:
        return missing("ms", _emulated(latency.emulated))
    if latency.batch != 1:
        return missing("ms", _batch(latency.batch, "measured"))
    if not _are_times(bursts) or not min(bursts) - ROUNDING <= latency.p50_ms <= max(bursts) + ROUNDING:
        return missing("ms", "the bursts of the final round do not give this median")
    reading = Reading("measured", "ms", latency.p50_ms, unstable=latency.unstable)
    return with_interval(reading, latency.interval_ms)


def _times(measurement: Measurement) -> str:
    """Why the runs of a measurement are no times to judge; "" where they are."""
    if measurement.conditions.emulated:
        return _emulated(measurement.conditions.emulated)
    if measurement.conditions.batch != 1:
        return _batch(measurement.conditions.batch, "measured")
    if not measurement.samples_ms:
        return "the measurement holds no runs"
    found, samples = measurement.latency_ms, measurement.samples_ms
    told = (each for each in (found.p50, found.p90, found.p99) if each is not None)
    ordered = (0.0, found.min, *told, math.inf)
    if _holds_all(measurement):
        ordered = (min(samples) - ROUNDING, *ordered[1:-1], max(samples) + ROUNDING)
    if not _are_times(samples) or not all(lower <= upper for lower, upper in pairwise(ordered)):
        return "the recorded runs and percentiles are no times to judge"
    return ""


def _holds_all(measurement: Measurement) -> bool:
    """Whether the record holds every run that was timed, and not a part of them."""
    return len(measurement.samples_ms) >= measurement.conditions.runs


def _are_times(samples_ms: tuple[float, ...]) -> bool:
    return bool(samples_ms) and all(0 < sample < math.inf for sample in samples_ms)


def _median(measurement: Measurement) -> Reading:
    if measurement.rounds is not None:
        return replace(_of_round(measurement.rounds), unstable=measurement.conditions.unstable)
    problem = _times(measurement)
    if problem:
        return missing("ms", problem)
    reading = Reading("measured", "ms", measurement.latency_ms.p50, unstable=measurement.conditions.unstable)
    return _with_quantile(reading, measurement, 0.5) if _holds_all(measurement) else reading


def _percentiles(
    subject: Subject, device: str, share: float, read: Callable[[LatencyMs], float | None]
) -> tuple[Reading, ...]:
    measured = _measured(subject.candidate, device)
    if not measured and _predictions(subject.candidate, device):
        return (missing("ms", "percentiles are measured, not predicted; a prediction is limited by latency_p50_ms"),)
    return tuple(_percentile(each, share, read(each.latency_ms)) for each in measured) or (
        _unknown(subject.candidate, "ms"),
    )


def _percentile(measurement: Measurement, share: float, value: float | None) -> Reading:
    if value is None:
        return missing("ms", f"{measurement.conditions.runtime} does not tell this percentile")
    problem = _times(measurement)
    if problem:
        return missing("ms", problem)
    if not _holds_all(measurement):
        held = f"the record holds {len(measurement.samples_ms)} of {measurement.conditions.runs} runs"
        return Reading("measured", "ms", undecided=f"{held}, so that the interval of the percentile is not known")
    return _with_quantile(
        Reading("measured", "ms", value, unstable=measurement.conditions.unstable), measurement, share
    )


def _with_quantile(reading: Reading, measurement: Measurement, share: float) -> Reading:
    """Adds the interval of a quantile; an end that so few runs do not bound is left open, from below at the fastest run."""
    assert reading.value is not None
    low, high = quantile_interval(measurement.samples_ms, share)
    return replace(
        reading,
        low=measurement.latency_ms.min if low is None else min(low, reading.value),
        high=None if high is None else max(high, reading.value),
    )


def _emulated(reason: str) -> str:
    return f"measured on an emulator, which says nothing about a board: {reason}"


def _resident(measurement: Measurement) -> Reading:
    if measurement.conditions.emulated:
        return missing("bytes", _emulated(measurement.conditions.emulated))
    if measurement.peak_rss_bytes is None:
        return missing("bytes", f"{measurement.conditions.runtime} does not tell the memory of its process")
    return checked(Reading("measured", "bytes", measurement.peak_rss_bytes), 0, open_low=True)


def _millijoules(measurement: Measurement) -> Reading:
    if measurement.conditions.emulated:
        return missing("mJ", _emulated(measurement.conditions.emulated))
    if measurement.energy_mj is None:
        return missing("mJ", "energy was not measured")
    return checked(Reading("measured", "mJ", measurement.energy_mj), 0, open_low=True)


def _delegated(measurement: Measurement) -> Reading:
    if measurement.conditions.emulated:
        return missing("count", _emulated(measurement.conditions.emulated))
    found = _PARTITIONS.search(measurement.conditions.delegate)
    if found is None:
        return missing("count", f"{measurement.conditions.delegate or 'the runtime'} does not tell its partitions")
    return checked(Reading("measured", "count", int(found[1]), words="partitions:"), 0, open_low=True)


def _predicted_latency(prediction: Prediction) -> Reading:
    latency = prediction.latency_ms
    if latency is None:
        return missing("ms", f"too little is known of its {prediction.unit} to predict latency")
    return _interval("ms", latency.low, latency.p50, latency.high)


def _predicted_memory(prediction: Prediction) -> Reading:
    memory: Interval | None = prediction.peak_rss_bytes
    if memory is not None:
        return _interval("bytes", memory.low, (memory.low + memory.high) / 2, memory.high)
    reason = (
        f"not known: only its tensors are predicted ({units.size(prediction.peak_tensor_bytes)}), and a process takes more than"
        " these; measure on the device, or limit the tensors by peak_tensor_bytes"
    )
    return Reading("predicted", "bytes", undecided=reason)


def _predicted_tensors(prediction: Prediction) -> Reading:
    return checked(Reading("predicted", "bytes", prediction.peak_tensor_bytes), 0, open_low=True)


def _interval(unit: Unit, low: float, middle: float, high: float) -> Reading:
    if not all(map(math.isfinite, (low, middle, high))) or not 0 <= low <= middle <= high or high <= 0:
        return missing(unit, f"the predicted interval {low} to {high} {unit} around {middle} is not one")
    return Reading("predicted", unit, middle, low, high, is_interval=True)


def _support(prediction: Prediction) -> UnitSupport | None:
    return next((each for each in prediction.op_support if each.unit == prediction.unit), None)


def _unsupported(prediction: Prediction) -> Reading:
    support = _support(prediction)
    if support is None:
        return Reading("predicted", "count", len(prediction.unsupported_ops), words="kinds of unsupported ops:")
    counts = [each.count for each in support.fallbacks if each.blocks]
    if any(count < 1 for count in counts) or bool(counts) != bool(prediction.unsupported_ops):
        return missing("count", "the ops that fall back and the unsupported ones contradict each other")
    return Reading("predicted", "count", sum(counts), words="unsupported ops:")


def _cut(prediction: Prediction) -> Reading:
    support = _support(prediction)
    if support is None:
        return missing("count", "the run does not tell into how many parts the graph is cut there")
    if not 0 <= support.mac_share <= 1 or (support.runs and support.partitions != 1):
        return missing(
            "count", f"{support.partitions} partitions with {support.mac_share:g} of the work are not possible"
        )
    if not support.partitions:
        return missing("count", "no part of it runs there")
    return checked(Reading("predicted", "count", support.partitions, words="partitions:"), 0)
