"""What else the machine did while something was timed, and whether that disturbed the measurement.

Linux tells all of it in ``/proc`` and ``/sys``. Elsewhere only what the C library tells is known; what is not known is None,
and is not judged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, TypeVar

from edgevit.results.measurement import Interval

try:
    import resource
except ModuleNotFoundError:  # Windows
    resource = None  # type: ignore[assignment]

Amount = TypeVar("Amount", int, float)

_STAT = Path("/proc/stat")
_CLOCKS = Path("/sys/devices/system/cpu")
_BUSY_FIELDS = (0, 1, 2, 5, 6)
"""user, nice, system, irq and softirq in the first line of ``/proc/stat``."""
_STEAL_FIELD = 7

MOST_STEAL = 0.03
"""Share of the CPU time asked for."""
MOST_OTHER_CORES = 0.25
"""Cores that other processes may keep busy on a machine with few cores."""
MOST_OF_FREE_CORES = 0.25
"""Share of the cores left free by the measurement that other processes may keep busy on a machine with many cores."""
MOST_SWITCHES_PER_SECOND = 50.0
"""For each thread: how often the kernel may take a core from the measuring process."""
LEAST_SWITCHING_CORES = 0.1
"""Cores that other processes keep busy where they are what takes cores away: with less, a process takes them from itself.
OpenVINO's threads that hand an inference to each other make hundreds of such switches a second on a quiet machine."""
LEAST_CLOCK = 0.9
"""Share of the highest clock of all bursts."""
MOST_DISTURBED = 1 / 3
"""Share of the bursts: with more the latency is unstable. A median bears fewer."""
MOST_SPREAD = 0.1
"""Width of the interval of a latency, as a share of it."""


@dataclass(frozen=True)
class Counters:
    """What the machine and this process have used so far."""

    wall_s: float
    own_cpu_s: float
    """Of this process, all threads."""
    busy_s: float | None
    """CPU time of all processes, of this one too."""
    steal_s: float | None
    """CPU time that the hypervisor gave to other machines."""
    involuntary_switches: int | None


@dataclass(frozen=True)
class Activity:
    """What went on between two moments."""

    seconds: float
    own_cores: float
    """Cores that this process kept busy."""
    other_cores: float | None
    """Cores that other processes kept busy."""
    steal_share: float | None
    """Part of the CPU time that this machine asked for, and that the hypervisor gave to others: 0..1."""
    involuntary_switches: int | None
    """Times that the kernel took a core from this process."""
    clock_mhz: float | None
    """Median clock of all cores at the end."""


@dataclass(frozen=True)
class Disturbance:
    """Something that makes a latency doubtful."""

    kind: Literal["steal time", "other processes", "context switches", "clock"]
    value: float
    """Share of the CPU time, cores, switches per second, or share of the highest clock."""

    def __str__(self) -> str:
        match self.kind:
            case "steal time":
                return f"steal time {100 * self.value:.0f} %"
            case "other processes":
                return f"other processes used {self.value:.1f} cores"
            case "context switches":
                return f"{self.value:.0f} involuntary context switches per second"
            case "clock":
                return f"the clock was at {100 * self.value:.0f} % of its highest"


def read_counters() -> Counters:
    """Reads what the machine and this process have used so far; None for what the system does not tell."""
    stat = _read(_STAT)
    busy_s, steal_s = parse_stat(stat, os.sysconf("SC_CLK_TCK")) if stat else (None, None)
    return Counters(
        wall_s=time.perf_counter(),
        own_cpu_s=time.process_time(),
        busy_s=busy_s,
        steal_s=steal_s,
        involuntary_switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw if resource else None,
    )


def activity_since(before: Counters) -> Activity:
    """Returns what went on from a moment until now."""
    clocks = parse_clocks(_read(path) for path in sorted(_CLOCKS.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")))
    return activity_between(before, read_counters(), clocks)


def activity_between(before: Counters, after: Counters, clock_mhz: float | None) -> Activity:
    """Returns what went on between two moments.

    Args:
        before: At the first moment.
        after: At the second one, later.
        clock_mhz: See :attr:`Activity.clock_mhz`.
    """
    seconds = after.wall_s - before.wall_s
    own_s = after.own_cpu_s - before.own_cpu_s
    busy_s = _difference(before.busy_s, after.busy_s)
    steal_s = _difference(before.steal_s, after.steal_s)
    asked_s = (busy_s or 0.0) + (steal_s or 0.0)
    return Activity(
        seconds=seconds,
        own_cores=own_s / seconds,
        other_cores=None if busy_s is None else max(0.0, busy_s - own_s) / seconds,
        steal_share=None if steal_s is None else steal_s / asked_s if asked_s else 0.0,
        involuntary_switches=_difference(before.involuntary_switches, after.involuntary_switches),
        clock_mhz=clock_mhz,
    )


def parse_stat(text: str, ticks_per_second: int) -> tuple[float | None, float | None]:
    """Returns the busy and the stolen seconds of all cores from the text of ``/proc/stat``; None where it has none."""
    for line in text.splitlines():
        name, *fields = line.split()
        if name == "cpu" and len(fields) > _STEAL_FIELD:
            ticks = [int(field) for field in fields]
            return sum(ticks[field] for field in _BUSY_FIELDS) / ticks_per_second, ticks[
                _STEAL_FIELD
            ] / ticks_per_second
    return None, None


def parse_clocks(texts: Iterable[str]) -> float | None:
    """Returns the median in MHz of clocks in kHz, each the text of a file; None where there are none."""
    clocks = [int(text) / 1000 for text in texts if text.strip().isdigit()]
    return median(clocks) if clocks else None


def disturbances(
    activity: Activity, threads: int, cores: int, highest_clock_mhz: float | None
) -> tuple[Disturbance, ...]:
    """Returns what disturbed a measurement, by what went on meanwhile; nothing for what is not known.

    Args:
        activity: While it was taken.
        threads: That it used.
        cores: Of the machine.
        highest_clock_mhz: Of all measurements that this one is compared with.
    """
    free = max(0, cores - threads)
    found: list[Disturbance] = []
    if activity.steal_share is not None and activity.steal_share > MOST_STEAL:
        found.append(Disturbance("steal time", activity.steal_share))
    if activity.other_cores is not None and activity.other_cores > max(MOST_OTHER_CORES, MOST_OF_FREE_CORES * free):
        found.append(Disturbance("other processes", activity.other_cores))
    switches = (activity.involuntary_switches or 0) / activity.seconds
    by_others = activity.other_cores is None or activity.other_cores > LEAST_SWITCHING_CORES
    if by_others and switches > MOST_SWITCHES_PER_SECOND * threads:
        found.append(Disturbance("context switches", switches))
    if activity.clock_mhz and highest_clock_mhz and activity.clock_mhz < LEAST_CLOCK * highest_clock_mhz:
        found.append(Disturbance("clock", activity.clock_mhz / highest_clock_mhz))
    return tuple(found)


def instability(bursts: Sequence[tuple[Disturbance, ...]], p50_ms: float, interval_ms: Interval) -> str:
    """Returns why a latency is not to be relied on; "" if it is.

    Args:
        bursts: What disturbed each burst.
        p50_ms: The latency, over all bursts.
        interval_ms: Its interval.
    """
    reasons = list(contention(bursts, "bursts"))
    spread = (interval_ms.high - interval_ms.low) / p50_ms
    if spread > MOST_SPREAD:
        reasons.append(f"p50 differs by {100 * spread:.0f} % between rounds")
    return "; ".join(reasons)


def contention(parts: Sequence[tuple[Disturbance, ...]], name: str) -> tuple[str, ...]:
    """Returns what disturbed a measurement in more than ``MOST_DISTURBED`` of its parts; nothing if none did.

    Args:
        parts: What disturbed each part.
        name: What the parts are called: "bursts".
    """
    if sum(map(bool, parts)) <= MOST_DISTURBED * len(parts):
        return ()
    reasons = []
    for kind in dict.fromkeys(each.kind for part in parts for each in part):
        values = [each.value for part in parts for each in part if each.kind == kind]
        reasons.append(f"{Disturbance(kind, median(values))} in {len(values)} of {len(parts)} {name}")
    return tuple(reasons)


def joined(activities: Sequence[Activity]) -> Activity:
    """Returns what went on in several spans of time together, without what was between them.

    Args:
        activities: In the order of time, at least one.
    """
    seconds = sum(each.seconds for each in activities)

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        if len(known) < len(activities):
            return None
        return sum(value * each.seconds for value, each in zip(known, activities, strict=True)) / seconds

    switches = [each.involuntary_switches for each in activities]
    return Activity(
        seconds=seconds,
        own_cores=mean([each.own_cores for each in activities]) or 0.0,
        other_cores=mean([each.other_cores for each in activities]),
        steal_share=mean([each.steal_share for each in activities]),
        involuntary_switches=None if None in switches else sum(filter(None, switches)),
        clock_mhz=activities[-1].clock_mhz,
    )


def not_judged(activity: Activity, unknown: Iterable[str] = ()) -> str:
    """Returns which conditions this system does not report, such as "steal time, clock"; "" if it reports all.

    Args:
        activity: While something was timed.
        unknown: What is not known of the machine, see :attr:`edgevit.results.machine_state.MachineState.unknown`.
    """
    known = {
        "steal time": activity.steal_share,
        "other processes": activity.other_cores,
        "clock": activity.clock_mhz,
        "context switches": activity.involuntary_switches,
        "throttling": None if "throttling" in unknown else True,
    }
    return ", ".join(name for name, value in known.items() if value is None)


def _difference(before: Amount | None, after: Amount | None) -> Amount | None:
    return None if before is None or after is None else after - before


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
