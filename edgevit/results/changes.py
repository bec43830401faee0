"""What ``edgevit compare`` found to have changed from one artifact to another, as in its JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, hypot, log
from typing import Final, Literal

from edgevit.results.measurement import Interval, RoundLatency
from edgevit.results.statistics import Ratio

SCHEMA_VERSION: Final = 1

Timed = Literal["same rounds", "two runs", "measured now"]
"""Where the latencies are from: rounds of one run, rounds of two runs at different times, or rounds of this comparison."""


@dataclass(frozen=True)
class ComparedArtifact:
    """One of the two."""

    given: str
    """As the user named it."""
    run: str | None
    """Folder of its run; None of a file of no run."""
    candidate: str | None
    """Its id in the run."""
    file: str | None
    """None where its files are not there."""
    model: str | None
    """Name of the model that its run compressed."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.given} {self.candidate}" if self.candidate and self.given != self.file else self.given


@dataclass(frozen=True)
class Flip:
    """An image that the two put in different classes."""

    image: str
    label: int | None
    before: int
    """Class that the first gives."""
    after: int


@dataclass(frozen=True)
class AccuracyChange:
    """Both on the same images."""

    source: str
    samples: int
    top1_before: float | None
    """None without labels."""
    top1_after: float | None
    drop_points: float | None
    """``top1_before`` minus ``top1_after`` in percentage points; negative for a gain."""
    drop_interval: Interval | None
    """Of ``drop_points``, at 95 %, from the images that the two recognize differently."""
    only_before: int
    """Images that the first alone recognizes."""
    only_after: int
    p_value: float | None
    """Of McNemar's exact test, two-sided: how probable so uneven a split of these images is if both are as good; None
    without labels, or where SciPy is not installed."""
    flips: tuple[Flip, ...]


@dataclass(frozen=True)
class LatencyChange:
    """On one host."""

    before_ms: float
    """p50 in ms."""
    after_ms: float
    speed_up: float
    """How many times faster the second is."""
    interval: Interval
    """Of ``speed_up``, at 95 %."""
    timed: Timed
    unstable: str = ""
    """Why one of the latencies is not to be relied on; "" where both are."""

    @property
    def tied(self) -> bool:
        """Whether it is not told which of the two is faster."""
        return self.interval.contains(1.0)


@dataclass(frozen=True)
class AmountChange:
    """A number of each; None where it is not known."""

    name: str
    unit: Literal["bytes", "share", "count"]
    before: float | None
    after: float | None


@dataclass(frozen=True)
class OpChange:
    """Ops of one kind and numerics, of which the two have different numbers."""

    kind: str
    numerics: str
    before: int
    after: int


@dataclass(frozen=True)
class SettingChange:
    """Something in words that is not the same: recipe, version, calibration."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class ShiftChange:
    """What each loses against its own float parent under one shift, in percentage points; None where it is not known."""

    shift: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class NotCompared:
    """A part that cannot be compared."""

    part: str
    reason: str


@dataclass(frozen=True)
class Changes:
    """All that changed from the first to the second."""

    before: ComparedArtifact
    after: ComparedArtifact
    accuracy: AccuracyChange | None
    latency: LatencyChange | None
    amounts: tuple[AmountChange, ...]
    ops: tuple[OpChange, ...]
    settings: tuple[SettingChange, ...]
    shift: tuple[ShiftChange, ...]
    not_compared: tuple[NotCompared, ...]
    notes: tuple[str, ...] = ()
    schema_version: Literal[1] = SCHEMA_VERSION


def independent_ratio(before: RoundLatency, after: RoundLatency) -> Ratio:
    """Returns how many times faster the second is, of latencies that were not taken in the same rounds.

    The interval combines those of both on the logarithmic scale (method of variance estimates recovery, Zou and Donner,
    "Construction of confidence limits about effect measures: a general approach", Statistics in Medicine 27, 2008). A
    drift of the machine between the two is not in it.

    Args:
        before: Per run of ``before.batch`` images.
        after: Likewise.
    """
    one, other = _logs(before), _logs(after)
    ratio = one.middle - other.middle
    low = ratio - hypot(one.middle - one.low, other.high - other.middle)
    high = ratio + hypot(one.high - one.middle, other.middle - other.low)
    return Ratio(exp(ratio), Interval(exp(low), exp(high)))


@dataclass(frozen=True)
class _Logs:
    low: float
    middle: float
    high: float


def _logs(latency: RoundLatency) -> _Logs:
    per_image = log(latency.batch)
    interval = latency.interval_ms
    return _Logs(*(log(ms) - per_image for ms in (interval.low, latency.p50_ms, interval.high)))


def op_changes(before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]) -> tuple[OpChange, ...]:
    """Returns the ops of which two graphs have different numbers, the largest difference first.

    Args:
        before: Number of ops by kind and numerics.
        after: Likewise.
    """
    keys = dict.fromkeys((*before, *after))
    found = [OpChange(*key, before.get(key, 0), after.get(key, 0)) for key in keys]
    changed = [each for each in found if each.before != each.after]
    return tuple(sorted(changed, key=lambda each: (-abs(each.after - each.before), each.kind, each.numerics)))
