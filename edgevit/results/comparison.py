"""Files that were timed alternately, ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgevit.results.machine_state import not_stable
from edgevit.results.measurement import Interval, RoundLatency
from edgevit.results.statistics import Ratio, paired_ratio


@dataclass(frozen=True)
class TimedFile:
    """A file with its latency and its place."""

    artifact: Path
    latency: RoundLatency
    speed_up: float
    """How many times faster than the first file that was named, for each image: median of the ratios of the same rounds."""
    speed_up_interval: Interval
    tied: bool
    """Whether the interval of its ratio to the fastest file contains 1; true of the fastest."""


@dataclass(frozen=True)
class Comparison:
    """Files, the fastest first."""

    files: tuple[TimedFile, ...]
    threads: int
    note: str = ""
    """Such as "4 threads on 2 cores"."""

    @property
    def unstable(self) -> tuple[TimedFile, ...]:
        """The files whose latency is not to be relied on."""
        return tuple(file for file in self.files if file.latency.unstable)

    @property
    def not_stable(self) -> tuple[tuple[TimedFile, str], ...]:
        """These, and those whose conditions changed, each with the reasons."""
        reasons = ((file, not_stable(file.latency.unstable, file.latency.machine)) for file in self.files)
        return tuple((file, why) for file, why in reasons if why)


def compare(timed: Sequence[tuple[Path, RoundLatency]], threads: int, note: str = "") -> Comparison:
    """Ranks files by the ratios of the same rounds.

    Args:
        timed: At least one file; the others are compared with the first, and the fastest comes out first.
        threads: CPU threads that were used.
        note: See :class:`Comparison`.
    """
    _, first = timed[0]
    ranked = sorted(timed, key=lambda file: -_per_image(first, file[1]).median)
    _, fastest = ranked[0]
    files = []
    for artifact, latency in ranked:
        ratio = _per_image(first, latency)
        tied = latency is fastest or _per_image(latency, fastest).tied
        files.append(TimedFile(artifact, latency, ratio.median, ratio.interval, tied))
    return Comparison(tuple(files), threads, note)


def _per_image(before: RoundLatency, after: RoundLatency) -> Ratio:
    return paired_ratio(
        [burst / before.batch for burst in before.bursts_ms], [burst / after.batch for burst in after.bursts_ms]
    )
