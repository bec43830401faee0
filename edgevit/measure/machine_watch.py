"""Looks at a machine while something is timed there, without touching what is timed.

Looks are taken between two runs, by the thread that runs them: a thread of its own would take a core from a run, or the
interpreter's lock when it ends, just where a run uses all cores of a small board. Files are opened once and only read
again (no command is started); and looks are so rare that they take at most ``MOST_OF_TIME`` of the time, however slowly a
board answers. ``docs/conditions.md`` has what that costs.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from statistics import fmean

from edgevit.measure.energy import EnergyCount
from edgevit.measure.machine_state import (
    COOLING,
    POLICIES,
    allowed_cpus,
    cpus_of,
    hottest_zones,
    limits,
    read_clusters,
    sane_celsius,
)
from edgevit.measure.raspberry_pi import UNDER_VOLTAGE, under_voltage_alarms
from edgevit.measure.sysfs import ROOT, integer, matches, number_of, parse_list, show_list, text_of
from edgevit.results.machine_state import ClockRange, CoolingDevice, MachineSpan, MachineWhile, Temperature

LOOK_SECONDS = 0.25
"""Between two looks, at least."""
MOST_OF_TIME = 0.005
"""That looks may take, as a share of the time."""
_LONGEST_NUMBER = 32
"""Bytes of a file that are read."""


@dataclass
class _Seen:
    """What the looks so far have found."""

    looks: int = 0
    busy_mhz: list[float] = field(default_factory=list)
    clocks: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    celsius: dict[str, float] = field(default_factory=dict)
    throttling: dict[str, None] = field(default_factory=dict)


class Watch:
    """The files of a machine that are read at each look."""

    def __init__(self, files: ExitStack, root: Path, threads: int, energy: EnergyCount | None) -> None:
        """Opens them.

        Args:
            files: Closes them.
            root: Of the machine.
            threads: That compute.
            energy: Read at each look too.
        """
        self._files, self._threads, self._energy = files, threads, energy
        self._policies = list(self._open_policies(root))
        self._zones = [
            (text_of(zone / "type"), opened)
            for zone in hottest_zones(root)
            if (opened := self._open(zone / "temp")) is not None
        ]
        self._cooling = [
            (text_of(device / "type"), most, opened)
            for device in matches(root, COOLING)
            if (most := number_of(device / "max_state")) and (opened := self._open(device / "cur_state")) is not None
        ]
        alarms = map(self._open, under_voltage_alarms(root))
        self._alarms = [opened for opened in alarms if opened is not None]
        self._seen = _Seen()
        self._due = 0.0

    def look(self) -> None:
        """Looks now."""
        begin = time.perf_counter()
        seen = self._seen
        seen.looks += 1
        clocks = [(cluster, cpus, khz / 1000) for cluster, cpus, file in self._policies if (khz := _number(file))]
        for cluster in {cluster for cluster, _, _ in clocks}:
            seen.clocks[cluster].append(max(mhz for name, _, mhz in clocks if name == cluster))
        busy = sorted(chain.from_iterable([mhz] * cpus for _, cpus, mhz in clocks))[-self._threads :]
        seen.busy_mhz += [round(fmean(busy), 1)] if busy else []
        for zone, file in self._zones:
            celsius = sane_celsius(value) if (value := _number(file)) is not None else None
            if celsius is not None:
                seen.celsius[zone] = max(celsius, seen.celsius.get(zone, celsius))
        devices = (CoolingDevice(kind, _number(file) or 0, most) for kind, most, file in self._cooling)
        seen.throttling.update(dict.fromkeys(limits(tuple(devices))))
        if any(_number(file) == 1 for file in self._alarms):
            seen.throttling[UNDER_VOLTAGE] = None
        if self._energy:
            self._energy.add()
        end = time.perf_counter()
        self._due = end + max(LOOK_SECONDS, (end - begin) / MOST_OF_TIME)

    def look_if_due(self) -> None:
        """Looks, if that is long enough after the last look; to be called between two runs."""
        if time.perf_counter() >= self._due:
            self.look()

    def found(self) -> MachineWhile:
        """Returns what the looks so far have found."""
        seen = self._seen
        return MachineWhile(
            looks=seen.looks,
            busy_mhz=tuple(seen.busy_mhz),
            clocks=tuple(ClockRange(cpus, min(values), max(values)) for cpus, values in sorted(seen.clocks.items())),
            hottest=tuple(Temperature(zone, celsius) for zone, celsius in seen.celsius.items()),
            throttling=tuple(seen.throttling),
        )

    def _open_policies(self, root: Path) -> Iterator[tuple[str, int, int]]:
        """Opens the clocks; gives of each the CPUs of its cluster, how many of its own this process may use, and the file."""
        allowed = allowed_cpus(root)
        clusters = {number: each.cpus for each in read_clusters(root) for number in parse_list(each.cpus)}
        for policy in matches(root, POLICIES):
            cpus, file = cpus_of(policy), self._open(policy / "scaling_cur_freq")
            if cpus and file is not None:
                yield clusters.get(min(cpus), show_list(cpus)), len(cpus & allowed if allowed else cpus), file

    def _open(self, path: Path) -> int | None:
        """Opens a file whose number can be read; None for another one."""
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return None
        self._files.callback(os.close, file)
        return file if _number(file) is not None else None


@contextmanager
def watching(threads: int, root: Path = ROOT, energy: EnergyCount | None = None) -> Iterator[Watch]:
    """Gives a watch that has looked once, and looks once more at the end.

    Args:
        threads: That compute.
        root: Of the machine.
        energy: Counters to read at each look too.
    """
    with ExitStack() as files:
        watch = Watch(files, root, threads, energy)
        watch.look()
        yield watch
        watch.look()


def joined_spans(spans: Sequence[MachineSpan]) -> MachineSpan:
    """Returns several spans of time as one, from before the first to after the last.

    Args:
        spans: In the order of time, at least one.
    """
    parts = [span.during for span in spans]
    clocks: defaultdict[str, list[float]] = defaultdict(list)
    celsius: defaultdict[str, list[float]] = defaultdict(list)
    for part in parts:
        for clock in part.clocks:
            clocks[clock.cpus] += [clock.low_mhz, clock.high_mhz]
        for each in part.hottest:
            celsius[each.zone].append(each.celsius)
    during = MachineWhile(
        looks=sum(part.looks for part in parts),
        busy_mhz=tuple(chain.from_iterable(part.busy_mhz for part in parts)),
        clocks=tuple(ClockRange(cpus, min(values), max(values)) for cpus, values in clocks.items()),
        hottest=tuple(Temperature(zone, max(values)) for zone, values in celsius.items()),
        throttling=tuple(dict.fromkeys(chain.from_iterable(part.throttling for part in parts))),
    )
    return MachineSpan(spans[0].before, during, spans[-1].after)


def _number(file: int) -> int | None:
    try:
        return integer(os.pread(file, _LONGEST_NUMBER, 0).decode("ascii", errors="replace").strip())
    except OSError:  # such as a zone that is asleep
        return None
