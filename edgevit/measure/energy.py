"""Energy of runs: a processor's own counters (RAPL), or power sensors on a board (INA3221), whichever this machine has.

RAPL counts microjoules in ``/sys/class/powercap`` (https://docs.kernel.org/power/powercap/powercap.html): of every package,
cores and caches, not of the board. A Jetson's INA3221 tells the power of rails, in one of two layouts: up to JetPack 4 an
"iio" device with ``in_power0_input`` in mW and ``rail_name_0``, later "hwmon" with ``in1_input`` in mV, ``curr1_input`` in mA
and ``in1_label`` (https://docs.kernel.org/hwmon/ina3221.html). The rail that feeds the whole module counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from edgevit.measure.sysfs import matches, number_of, text_of
from edgevit.results.machine_state import Energy

WHOLE_MODULE = ("VDD_IN", "POM_5V_IN")
"""Rails at the input of a module: Orin Nano, Orin NX, Xavier NX and TX2; Nano. Boards without one are not measured: whether
a sum of their rails counts anything twice is not told by the sensor."""
SAMPLE_SECONDS = 0.05
"""Between two readings of a power sensor."""
_IIO = "sys/bus/i2c/drivers/ina3221*/*/iio[:_]device*/rail_name_*"
_HWMON = "sys/class/hwmon/hwmon*/in[0-9]*_label"
_RAPL = "sys/class/powercap/intel-rapl:[0-9]*"
"""The packages; their parts are named "intel-rapl:0:1". AMD's driver has the same names."""


@dataclass(frozen=True)
class Counter:
    """One counter of energy."""

    path: Path
    """Holds microjoules."""
    range_uj: int
    """It begins at 0 again after this value."""


@dataclass(frozen=True)
class Counters:
    """The packages of a processor."""

    counters: tuple[Counter, ...]
    name: str
    """Such as "RAPL package-0"."""


@dataclass(frozen=True)
class PowerRail:
    """A rail with a power sensor."""

    name: str
    """Such as "INA3221 rail VDD_IN"."""
    power: tuple[Path, ...]
    """One file in mW, or one in mV and one in mA."""


@dataclass(frozen=True)
class NotMeasured:
    """No energy can be measured here."""

    reason: str


def find_energy_source(root: Path) -> Counters | PowerRail | NotMeasured:
    """Returns what tells energy on this machine: the rail of a whole module, else the counters of the processor, else why none."""
    rails = _rails(root)
    for name in WHOLE_MODULE:
        if name in rails:
            return rails[name]
    packages = [path for path in matches(root, _RAPL) if text_of(path / "name").startswith("package")]
    if packages:
        return _counters(packages)
    if rails:
        return NotMeasured(f"the power sensor has no rail of the whole module, only {', '.join(sorted(rails))}")
    return NotMeasured("this machine reports no energy counter (RAPL) and no power sensor (INA3221)")


def source_text(source: Counters | PowerRail | NotMeasured) -> str:
    """Returns what tells energy, such as "RAPL package-0", or why nothing does."""
    return f"not measured: {source.reason}" if isinstance(source, NotMeasured) else source.name


def increase_uj(before: int, after: int, range_uj: int) -> int:
    """Returns by how much a counter rose, which begins at 0 again after ``range_uj``, and did so at most once.

    Args:
        before: Microjoules at the first reading, 0 .. ``range_uj``.
        after: At the second one.
        range_uj: ``max_energy_range_uj``.
    """
    return after - before if after >= before else after - before + range_uj + 1


class EnergyCount:
    """Adds up what counters rise by; to be read more often than they begin anew, which is after minutes."""

    def __init__(self, counters: Counters) -> None:
        """Reads nothing yet."""
        self._counters = counters
        self._readings: list[tuple[int | None, ...]] = []
        self._moments: list[float] = []

    def add(self) -> None:
        """Reads the counters: the first time to begin with."""
        self._readings.append(tuple(number_of(each.path) for each in self._counters.counters))
        self._moments.append(time.perf_counter())

    def energy(self, runs: int) -> Energy | None:
        """Returns the energy between the first and the last reading; None where a counter could not be read, or did not move.

        Args:
            runs: In that time.
        """
        total_uj = 0
        for earlier, later in pairwise(self._readings):
            for before, after, counter in zip(earlier, later, self._counters.counters, strict=True):
                if before is None or after is None:
                    return None
                total_uj += increase_uj(before, after, counter.range_uj)
        if not total_uj:
            return None
        return _energy(total_uj / 1e6, self._moments[-1] - self._moments[0], runs, self._counters.name)


def energy_of_runs(rail: PowerRail, call: Callable[[], object], seconds: float, min_runs: int) -> Energy | None:
    """Calls a function for a while and returns its energy by a power sensor, read from a thread that sleeps meanwhile.

    These runs are not timed: the thread would disturb them, on a board with as many threads as cores.

    Args:
        rail: What to read.
        call: Function to call.
        seconds: At least so long.
        min_runs: At least so often.

    Returns:
        None where the sensor could not be read twice.
    """
    samples: list[tuple[float, float]] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            milliwatts = power_mw(rail)
            if milliwatts is not None:
                samples.append((time.perf_counter(), milliwatts))

    reader = threading.Thread(target=sample, daemon=True)
    reader.start()
    begin, runs = time.perf_counter(), 0
    try:
        while runs < min_runs or time.perf_counter() - begin < seconds:
            call()
            runs += 1
        elapsed = time.perf_counter() - begin
    finally:
        ended.set()
        reader.join()
    watts = mean_watts(samples)
    return None if watts is None else _energy(watts * elapsed, elapsed, runs, rail.name)


def power_mw(rail: PowerRail) -> float | None:
    """Returns the power of a rail now, in mW; None where it cannot be read."""
    values = [number_of(path) for path in rail.power]
    if any(value is None for value in values):
        return None
    known = [float(value) for value in values if value is not None]
    return known[0] if len(known) == 1 else known[0] * known[1] / 1000


def mean_watts(samples: Sequence[tuple[float, float]]) -> float | None:
    """Returns the mean power in W by the trapezoidal rule; None for less than two samples.

    Args:
        samples: Seconds, rising, and mW.
    """
    if len(samples) < 2:
        return None
    millijoules = sum((end - begin) * (first + second) / 2 for (begin, first), (end, second) in pairwise(samples))
    return millijoules / (samples[-1][0] - samples[0][0]) / 1000


def _energy(joules: float, seconds: float, runs: int, counted: str) -> Energy:
    return Energy(1000 * joules / runs, joules / seconds, runs, seconds, counted)


def _counters(packages: Sequence[Path]) -> Counters | NotMeasured:
    found = []
    for package in packages:
        path, range_uj = package / "energy_uj", number_of(package / "max_energy_range_uj")
        if number_of(path) is None or not range_uj:
            return NotMeasured(f"{path.name} of {package.name} (RAPL) cannot be read: Linux gives it to root alone")
        found.append(Counter(path, range_uj))
    return Counters(tuple(found), "RAPL " + " + ".join(text_of(package / "name") for package in packages))


def _rails(root: Path) -> dict[str, PowerRail]:
    """The rails of all sensors, by their labels."""
    found: dict[str, PowerRail] = {}
    for label in matches(root, _IIO):
        number = label.name.rpartition("_")[2]
        found[text_of(label)] = _rail(label, f"in_power{number}_input")
    for label in matches(root, _HWMON):
        if text_of(label.with_name("name")) == "ina3221":
            channel = label.name.removeprefix("in").removesuffix("_label")
            found[text_of(label)] = _rail(label, f"in{channel}_input", f"curr{channel}_input")
    return {name: rail for name, rail in found.items() if name and power_mw(rail) is not None}


def _rail(label: Path, *files: str) -> PowerRail:
    return PowerRail(f"INA3221 rail {text_of(label)}", tuple(map(label.with_name, files)))
