"""A long run: whether an artifact gets slower, as it does where a processor gets hot."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from edgevit.backends import get_backend
from edgevit.measure.bench import batch_of, milliseconds, noise_call, warm_up
from edgevit.measure.burst import WARMUP_RUNS
from edgevit.measure.conditions import Activity, activity_since, disturbances, joined, read_counters
from edgevit.measure.emulation import emulation
from edgevit.measure.machine_changes import machine_conditions
from edgevit.measure.machine_state import cpu_name, read_state
from edgevit.measure.machine_watch import watching
from edgevit.results.machine_state import MachineConditions, MachineSpan
from edgevit.run.child_process import report_progress

WINDOW_SECONDS = 1.0
_ENDS = 0.1
"""Share of the windows that count as the beginning, and as the end."""
_NOTABLE = 0.05
_NO_ENERGY = "`edgevit bench FILE` measures it, a long run does not"
_MOST_STRETCHES = 10


@dataclass(frozen=True)
class SustainedJob:
    """An artifact to run for long."""

    backend: str
    artifact: Path
    precision: str
    """"f32", "bf16" or "fastest", see :meth:`edgevit.backends.Backend.open_session`."""
    threads: int
    seconds: float
    """At least one window."""


@dataclass(frozen=True)
class Window:
    """About one second of a long run."""

    seconds: float
    runs: int
    p50_ms: float
    clock_mhz: float | None
    """Median clock of all cores at its end; None where the system does not report it."""
    disturbance: str = ""
    """What disturbed it, such as "other processes used 0.9 cores"."""


@dataclass(frozen=True)
class Stretch:
    """Several windows, one after another."""

    begin_s: float
    """Seconds of the windows before it."""
    end_s: float
    images_per_second: float
    p50_ms: float
    """Median of the windows' medians."""
    clock_mhz: float | None
    """Median of those of the windows; None where the system does not report it."""


@dataclass(frozen=True)
class SustainedLatency:
    """Latency from second to second."""

    windows: tuple[Window, ...]
    threads: int
    batch: int
    machine: MachineConditions | None = None
    """The machine before, during and after; looked at between the windows."""
    emulated: str = ""
    """See :func:`edgevit.measure.emulation.emulation`."""

    @property
    def first_ms(self) -> float:
        """Median of the first tenth of the windows, in ms."""
        return median(window.p50_ms for window in self.windows[: self._end])

    @property
    def last_ms(self) -> float:
        """Median of the last tenth of the windows, in ms."""
        return median(window.p50_ms for window in self.windows[-self._end :])

    @property
    def drift(self) -> float:
        """By what share the last tenth is slower than the first; negative where it is faster."""
        return self.last_ms / self.first_ms - 1

    @property
    def images_per_second(self) -> tuple[float, ...]:
        """Of each window."""
        return tuple(window.runs * self.batch / window.seconds for window in self.windows)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The run in at most ten stretches of about as many windows, for people and plots."""
        count = min(_MOST_STRETCHES, len(self.windows))
        ends = [len(self.windows) * place // count for place in range(count + 1)]
        return tuple(self._stretch(start, end) for start, end in pairwise(ends))

    def _stretch(self, start: int, end: int) -> Stretch:
        windows = self.windows[start:end]
        begin_s, seconds = (sum(window.seconds for window in part) for part in (self.windows[:start], windows))
        clocks = [window.clock_mhz for window in windows if window.clock_mhz]
        return Stretch(
            begin_s=begin_s,
            end_s=begin_s + seconds,
            images_per_second=sum(window.runs for window in windows) * self.batch / seconds,
            p50_ms=median(window.p50_ms for window in windows),
            clock_mhz=median(clocks) if clocks else None,
        )

    @property
    def clock_drift(self) -> float | None:
        """By what share the clock changed from the first tenth to the last; None where it is not known."""
        first = [window.clock_mhz for window in self.windows[: self._end] if window.clock_mhz]
        last = [window.clock_mhz for window in self.windows[-self._end :] if window.clock_mhz]
        return median(last) / median(first) - 1 if first and last else None

    @property
    def throttled(self) -> bool:
        """Whether it got slower while the clock fell, each by more than a twentieth."""
        clock = self.clock_drift
        return self.drift > _NOTABLE and clock is not None and clock < -_NOTABLE

    @property
    def unstable(self) -> str:
        """Why the drift is not to be relied on; "" if it is."""
        disturbed = [window.disturbance for window in self.windows if window.disturbance]
        if len(disturbed) <= _ENDS * len(self.windows):
            return ""
        return f"{disturbed[0]}; disturbed in {len(disturbed)} of {len(self.windows)} seconds"

    @property
    def _end(self) -> int:
        return max(1, round(_ENDS * len(self.windows)))


def run_sustained(job: SustainedJob) -> SustainedLatency:
    """Runs an artifact without pause, after few runs to warm up the caches and not the processor.

    Raises:
        UsageError: the runtime cannot load or run the file.
    """
    before = read_state()
    emulated = emulation()
    session = get_backend(job.backend).open_session(job.artifact, job.threads, job.precision)
    call = noise_call(session)
    warm_up(call, WARMUP_RUNS, 0.0)
    windows: list[Window] = []
    activities: list[Activity] = []
    begin = time.perf_counter()
    with watching(job.threads) as watch:
        while not windows or time.perf_counter() - begin < job.seconds:
            counters = read_counters()
            samples_ms: list[float] = []
            while not samples_ms or time.perf_counter() - counters.wall_s < WINDOW_SECONDS:
                samples_ms.append(milliseconds(call))
            activity = activity_since(counters)
            activities.append(activity)
            watch.look_if_due()
            found = disturbances(activity, job.threads, os.cpu_count() or 1, None)
            windows.append(
                Window(
                    seconds=activity.seconds,
                    runs=len(samples_ms),
                    p50_ms=median(samples_ms),
                    clock_mhz=activity.clock_mhz,
                    disturbance="; ".join(map(str, found)),
                )
            )
            report_progress(min(99, int(100 * (time.perf_counter() - begin) / job.seconds)), 100)
    span = MachineSpan(before, watch.found(), read_state())
    machine = machine_conditions(cpu_name(), span, joined(activities).other_cores, None, _NO_ENERGY)
    return SustainedLatency(tuple(windows), job.threads, batch_of(session), machine, emulated)
