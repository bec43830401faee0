"""What a run records of an artifact itself: its size, work and numbers, and its accuracy."""

from __future__ import annotations

import math

from edgevit import units
from edgevit.gate.reading import ROUNDING, Reading, Subject, checked, missing, with_interval
from edgevit.gate.verdict import Unit
from edgevit.results.candidate import Accuracy
from edgevit.results.measurement import Interval
from edgevit.results.proportions import proportion_interval
from edgevit.results.shift import ShiftedDrop
from edgevit.results.shift import shifted_drops as drops_of

_NO_ARTIFACT = "there is no artifact"


def size(subject: Subject) -> Reading:
    """Returns the size of the files together, in bytes."""
    artifact = subject.candidate.artifact
    if artifact is None:
        return missing("bytes", _NO_ARTIFACT)
    return checked(Reading("file", "bytes", artifact.size_bytes, words="artifact of"), 0, open_low=True)


def macs(subject: Subject) -> Reading:
    """Returns the multiply-accumulates of one inference."""
    artifact = subject.candidate.artifact
    if artifact is None:
        return missing("count", _NO_ARTIFACT)
    return checked(Reading("file", "count", artifact.macs, words="multiply-accumulates:"), 0, open_low=True)


def int8_share(subject: Subject) -> Reading:
    """Returns the share of the multiply-accumulates that are int8."""
    artifact = subject.candidate.artifact
    if artifact is None:
        return missing("share", _NO_ARTIFACT)
    return checked(Reading("file", "share", artifact.int8_mac_share, words="int8 multiply-accumulates:"), 0, 1)


def top1(subject: Subject) -> Reading:
    """Returns the top-1 accuracy with its interval."""
    accuracy = subject.candidate.accuracy
    reason = _no_labels(accuracy)
    if accuracy is None or accuracy.top1 is None or reason:
        return missing("share", reason)
    reading = Reading("evaluated", "share", accuracy.top1, words="top-1")
    return with_interval(reading, accuracy.top1_interval or _share_interval(accuracy.top1, accuracy.samples))


def accuracy_drop(subject: Subject) -> Reading:
    """Returns the drop of top-1 against the float baseline, in percentage points, with its interval."""
    accuracy = subject.candidate.accuracy
    reason = _no_labels(accuracy)
    if accuracy is None or accuracy.top1 is None or reason:
        return missing("points", reason)
    if accuracy.drop_points is None:
        return missing("points", "there is no float baseline to compare with")
    before = accuracy.top1 + accuracy.drop_points / 100
    if not -ROUNDING <= before <= 1 + ROUNDING:
        reason = f"a drop of {accuracy.drop_points:g} points to a top-1 of {accuracy.top1:g} is not possible"
        return missing("points", reason)
    return with_interval(Reading("evaluated", "points", accuracy.drop_points), accuracy.drop_interval)


def agreement(subject: Subject) -> Reading:
    """Returns the share of the images with the class of the original float model, with its interval."""
    accuracy = subject.candidate.accuracy
    if accuracy is None or accuracy.samples < 1 or accuracy.agreement is None:
        return missing("share", "agreement with the float model was not evaluated")
    reading = checked(Reading("evaluated", "share", accuracy.agreement, words="agreement"), 0, 1)
    if reading.problem:
        return reading
    return with_interval(reading, _share_interval(accuracy.agreement, accuracy.samples))


def metric(subject: Subject) -> Reading:
    """Returns what the run was judged by, with its interval."""
    accuracy = subject.candidate.accuracy
    score = accuracy.judged if accuracy and accuracy.samples > 0 else None
    if score is None:
        return missing("", "no metric was evaluated")
    unit: Unit = "share" if score.unit == "%" else score.unit
    reading = Reading("evaluated", unit, score.value, words=score.title)
    ends = (0.0, 1.0) if unit == "share" and score.name in ("top1", "agreement") else (-math.inf, math.inf)
    return with_interval(checked(reading, *ends), score.interval)


def metric_drop(subject: Subject) -> Reading:
    """Returns the drop of what the run was judged by against the float baseline, with its interval."""
    accuracy = subject.candidate.accuracy
    if accuracy is None or accuracy.samples < 1:
        return missing("", "no metric was evaluated")
    score = accuracy.judged
    if score is None or score.drop is None:
        return missing("", "there are no labels and no float model to compare with")
    if not math.isfinite(score.value) or not math.isfinite(score.drop):
        reason = f"{score.title} is {score.value} with a drop of {score.drop}, which is not a number to judge"
        return missing("", reason)
    unit: Unit = "points" if score.unit == "%" else score.unit
    words = f"{score.title} {units.metric(score.value, score.unit)}, a drop of"
    return with_interval(Reading("evaluated", unit, score.drop, words=words), score.drop_interval)


def shifted_drops(subject: Subject) -> tuple[Reading, ...]:
    """Returns the drop of top-1 against the float parent under each corruption and on each further set of images."""
    candidate = subject.candidate
    found = list(drops_of(candidate.shift)) if candidate.shift else []
    for further in candidate.other_sets:
        accuracy = further.accuracy
        if accuracy.drop_points is not None and accuracy.samples > 0:
            found.append(ShiftedDrop(further.source, accuracy.drop_points, accuracy.drop_interval))
    if not found:
        return (missing("points", "accuracy under shift was not evaluated"),)
    return tuple(
        with_interval(
            checked(
                Reading("evaluated", "points", each.drop_points, words=f"under {each.shift}, a drop of"), -100, 100
            ),
            each.interval,
        )
        for each in found
    )


def _no_labels(accuracy: Accuracy | None) -> str:
    """Why there is no top-1 to judge; "" where there is."""
    if accuracy is None or accuracy.samples < 1:
        return "accuracy was not evaluated"
    if accuracy.top1 is None:
        return "there are no labels, so accuracy is not known"
    if not 0 <= accuracy.top1 <= 1:
        return f"top-1 is {accuracy.top1}, which is not a number to judge: 0..1"
    return ""


def _share_interval(share: float, samples: int) -> Interval:
    return proportion_interval(round(share * samples), samples)
