"""What the user's own runs say: accuracy on their images, and latency on their device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit import units
from edgevit.commands.recommend.networks import family_of_name
from edgevit.devices.device import Device
from edgevit.devices.measured_here import processor_of, why_not_measured_here
from edgevit.errors import UsageError
from edgevit.results.candidate import Candidate
from edgevit.results.family import FAMILY_TITLES, Family
from edgevit.results.measurement import HOST, Interval
from edgevit.results.recommendation import Reason, Situation
from edgevit.results.run import Run, load_run

_TOPIC = "your runs"
_CLEARLY_FASTER = 1.25
"""How many times faster a family has to be where accuracy does not tell; runs are measured at different times."""


@dataclass(frozen=True)
class OwnRun:
    """The candidate that a run chose."""

    path: str
    model: str
    family: Family | None
    """None where it is not known by the name of the model."""
    images: str
    """That it was scored on; of a run that does not say, the run's own, equal to no other's."""
    top1: float | None
    interval: Interval | None
    """Of ``top1``."""
    latency_ms: float | None
    """On the device of the situation, or, where none is named, on the run's host; None where it is not known there."""
    latency_words: str
    """Such as "measured on raspberrypi" or "predicted"."""
    unstable: str = ""
    """Why a measured latency cannot be relied on; it decides nothing then."""

    def is_within(self, situation: Situation) -> bool:
        """Returns whether it meets the latency budget; without one, all do."""
        budget = situation.max_latency_ms
        return budget is None or (self.latency_ms is not None and self.latency_ms <= budget)


def read_runs(paths: Sequence[Path], device: Device | None) -> tuple[OwnRun, ...]:
    """Reads runs.

    Args:
        paths: Run folders, or their run.json.
        device: That latency is wanted on.

    Raises:
        UsageError: one is no run, chose nothing, or is given twice.
    """
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"--run {path} is given twice", "give it once")
    return tuple(_own(str(path), load_run(path), device) for path in paths)


def run_reasons(runs: Sequence[OwnRun], situation: Situation) -> tuple[Reason, ...]:
    """Returns what each run says, and what they say together."""
    each = tuple(_reason(run, situation) for run in runs)
    found = verdict(runs, situation)
    if found is None:
        return each
    together = Reason(_TOPIC, found.words, "your run", "measured", (found.family,), ", ".join(run.path for run in runs))
    return (*each, together)


@dataclass(frozen=True)
class Verdict:
    """The family that runs decide for."""

    family: Family
    words: str
    """Why."""


def verdict(runs: Sequence[OwnRun], situation: Situation) -> Verdict | None:
    """Returns the family that the runs decide for; None where they do not.

    Several families have to have a run that was scored on the same images. Of the runs within the budget, the most accurate one and
    those of which that cannot be told beyond both intervals are equal; where they are of several families, the fastest decides if its
    family is clearly faster on the same machine, by times that can be relied on.
    """
    known = [run for run in runs if run.family is not None and run.top1 is not None and run.interval is not None]
    if len({run.family for run in known}) < 2 or len({run.images for run in known}) > 1:
        return None
    within = [run for run in known if run.is_within(situation)]
    if not within:
        return None
    best = max(within, key=lambda run: run.top1 or 0.0)
    equal = [run for run in within if run.interval and best.interval and _overlap(run.interval, best.interval)]
    if best.family is not None and all(run.family == best.family for run in equal):
        words = (
            f"of your runs within the budget, {best.model} is the most accurate, beyond the intervals of other families"
        )
        return Verdict(best.family, words)
    timed = sorted((run.latency_ms, at) for at, run in enumerate(equal) if run.latency_ms is not None)
    if len(timed) < len(equal) or len({run.latency_words for run in equal}) > 1:
        return None
    if any(run.unstable for run in equal):
        return None
    fastest = equal[timed[0][1]]
    other = next(run for run in (equal[at] for _, at in timed) if run.family != fastest.family)
    ratio = (other.latency_ms or 0.0) / timed[0][0]
    if ratio < _CLEARLY_FASTER or fastest.family is None:
        return None
    words = f"your runs are equally accurate within their intervals, and {fastest.model} is {units.ratio(ratio)} as fast as {other.model}"
    return Verdict(fastest.family, words)


def _overlap(one: Interval, other: Interval) -> bool:
    return one.high >= other.low and other.high >= one.low


def _own(path: str, run: Run, device: Device | None) -> OwnRun:
    model = str(run.spec.get("model", {}).get("name", "unknown"))
    place, words = _place(run, device)
    chosen = run.choices.get(place) or run.selected
    if chosen is None:
        raise UsageError(f"--run {path} chose no candidate", "give a run that has one: `edgevit report RUN` says why")
    candidate = run.candidate(chosen)
    accuracy = candidate.accuracy
    return OwnRun(
        path=path,
        model=model,
        family=family_of_name(model),
        images=f"{accuracy.samples} images of {run.evaluation.source if run.evaluation else path}" if accuracy else "",
        top1=accuracy.top1 if accuracy else None,
        interval=accuracy.top1_interval if accuracy else None,
        latency_ms=_latency(candidate, place, device),
        latency_words=words,
        unstable=_unstable(candidate, place),
    )


def _place(run: Run, device: Device | None) -> tuple[str, str]:
    """Where the run knows latencies for the device, and in words: a board of it, its own machine, or its predictions."""
    if device is None:
        return HOST, f"measured on {run.host.cpu}"
    board = next((board for board in run.boards if not why_not_measured_here(board.host, device)), None)
    if board is not None:
        return board.name, f"measured on {board.name}"
    if processor_of(device) is not None and not why_not_measured_here(run.host, device):
        return HOST, f"measured on {run.host.cpu}"
    predicted = any(candidate.prediction(device.name) for candidate in run.candidates)
    return device.name, f"predicted for {device.name}" if predicted else f"not known for {device.name}"


def _latency(candidate: Candidate, place: str, device: Device | None) -> float | None:
    rounds, measurement = candidate.latency_on(place), candidate.measurement(place)
    if rounds is not None:
        return rounds.p50_ms
    if measurement is not None:
        return measurement.latency_ms.p50
    prediction = candidate.prediction(device.name) if device else None
    return prediction.latency_ms.p50 if prediction and prediction.latency_ms else None


def _unstable(candidate: Candidate, place: str) -> str:
    rounds, measurement = candidate.latency_on(place), candidate.measurement(place)
    if rounds is not None:
        return rounds.unstable
    return measurement.conditions.unstable if measurement is not None else ""


def _reason(run: OwnRun, situation: Situation) -> Reason:
    accuracy = f"{units.percent(run.top1)} on {run.images}" if run.top1 is not None else "no accuracy"
    latency = f"{units.milliseconds(run.latency_ms)}, {run.latency_words}" if run.latency_ms else run.latency_words
    latency += f", not stable ({run.unstable})" if run.unstable else ""
    budget = situation.max_latency_ms
    verdict = "" if budget is None else ", within the budget" if run.is_within(situation) else ", not within the budget"
    family = FAMILY_TITLES[run.family] if run.family else "family not known by its name"
    return Reason(
        _TOPIC, f"{run.model} ({family}): {accuracy}; {latency}{verdict}", "your run", "measured", (), run.path
    )
