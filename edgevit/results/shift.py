"""What a compressed file loses against its float parent on images that are not as those it was judged on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated

from edgevit.results.document import LATER
from edgevit.results.measurement import Interval


@dataclass(frozen=True)
class PairedScore:
    """Top-1 of a file and of its float parent on the same images."""

    samples: int
    top1: float
    """Of the file, 0..1."""
    reference_top1: float
    """Of its float parent, 0..1."""
    drop_points: float
    """``reference_top1`` minus ``top1``, in percentage points; negative for a gain."""
    drop_interval: Interval
    """Of ``drop_points``, at 95 %, from the images that the two recognize differently."""


@dataclass(frozen=True)
class Severity:
    """One strength of a corruption."""

    level: int
    """1, 2 or 3, of which 3 is the strongest."""
    parameter: str
    """Its strength, such as "quality 15"."""
    score: PairedScore


@dataclass(frozen=True)
class CorruptionScore:
    """One kind of corruption, at all its severities."""

    name: str
    """Such as "noise"."""
    severities: tuple[Severity, ...]
    drop_points: float
    """Mean of the severities' drops, in percentage points."""
    drop_interval: Interval
    """Of ``drop_points``: the means of the ends of the severities' intervals, which holds however these depend on each other."""


@dataclass(frozen=True)
class DomainScore:
    """Further images, of another domain, as they are."""

    source: str
    """Of the images, as the user named it."""
    score: PairedScore


@dataclass(frozen=True)
class ShiftRecord:
    """What ``edgevit eval --corruptions`` found out about a file."""

    source: str
    """Of the images that are corrupted, as the user named it."""
    reference: str
    """The float file: the id of the candidate in a run, else its path."""
    reference_sha256: str
    """Of the contents of its files."""
    seed: int
    """Of the noise, and of the places."""
    clean: PairedScore
    """On the same images as they are."""
    corruptions: tuple[CorruptionScore, ...]
    domains: Annotated[tuple[DomainScore, ...], LATER] = ()


@dataclass(frozen=True)
class ShiftedDrop:
    """A drop under one shift."""

    shift: str
    """Name of the corruption, or source of the further images."""
    drop_points: float
    """In percentage points; negative for a gain."""
    interval: Interval | None
    """Of ``drop_points``; None where it is not known."""


def corruption_score(name: str, severities: Iterable[Severity]) -> CorruptionScore:
    """Sums up the severities of a corruption, at least one."""
    given = tuple(severities)
    intervals = [each.score.drop_interval for each in given]
    return CorruptionScore(
        name,
        given,
        fmean(each.score.drop_points for each in given),
        Interval(fmean(each.low for each in intervals), fmean(each.high for each in intervals)),
    )


def shifted_drops(record: ShiftRecord) -> tuple[ShiftedDrop, ...]:
    """Returns the drop under each corruption, then on each further set of images."""
    corrupted = (ShiftedDrop(each.name, each.drop_points, each.drop_interval) for each in record.corruptions)
    others = (ShiftedDrop(each.source, each.score.drop_points, each.score.drop_interval) for each in record.domains)
    return (*corrupted, *others)
