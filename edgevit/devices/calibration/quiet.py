"""Whether a machine is quiet enough to be calibrated; runs on that machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

from edgevit.measure.burst import wait_until_quiet
from edgevit.measure.conditions import activity_since, disturbances, read_counters


@dataclass(frozen=True)
class QuietJob:
    """What to wait for."""

    threads: int
    """That the calibration will use."""
    seconds: float
    """How long the machine may take to become quiet."""


@dataclass(frozen=True)
class Quiet:
    """What was found."""

    busy: str
    """What disturbs, such as "other processes used 0.9 cores"; "" if nothing does."""


def look_whether_quiet(job: QuietJob) -> Quiet:
    """Waits until nothing disturbs, and says what does at last."""
    wait_until_quiet(job.threads, job.seconds)
    begin = read_counters()
    wait_until_quiet(job.threads, 0.0)
    found = disturbances(activity_since(begin), job.threads, os.cpu_count() or 1, None)
    return Quiet("; ".join(map(str, found)))
