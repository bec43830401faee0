"""What a machine's state was before, during and after a measurement: plain values, without anything but Python's own library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNKNOWN = "unknown"
"""What the system does not report, where a text is asked for."""
_OF_PROCESSOR = ("cpu", "x86_pkg", "soc", "tj-")
"""Parts of the names of thermal zones in processors."""
_PLACEHOLDERS = ("PMIC-Die",)
"""Zones that always tell the same: 100 °C on a Jetson Nano."""


@dataclass(frozen=True)
class CpuCluster:
    """CPUs of one kind that are governed alike: on most boards those that share a clock."""

    cpus: str
    """Their numbers, such as "0-3" or "0,2,4"."""
    governor: str
    mhz: float | None
    """Clock of the fastest of them; the kernel's, which on a Raspberry Pi is what it asked for."""
    min_mhz: float | None
    """Lowest clock that the governor may choose."""
    max_mhz: float | None
    """Highest clock that the governor may choose."""
    hardware_max_mhz: float | None
    """Highest clock of the hardware."""


@dataclass(frozen=True)
class Temperature:
    """Of one thermal zone."""

    zone: str
    """The kernel's type of the zone, such as "cpu-thermal"."""
    celsius: float


@dataclass(frozen=True)
class CoolingDevice:
    """A fan, or a limit of a clock, that the kernel's thermal governor sets."""

    kind: str
    """The kernel's type, such as "pwm-fan" or "thermal-cpufreq-0"."""
    state: int
    """0 is off."""
    most: int
    """Highest state."""


@dataclass(frozen=True)
class EventCount:
    """How often something has happened since the machine started."""

    name: str
    """Such as "core thermal throttling"."""
    count: int


@dataclass(frozen=True)
class MachineState:
    """A machine at one moment; what the system does not report is None, "unknown" or an empty list."""

    clusters: tuple[CpuCluster, ...]
    temperatures: tuple[Temperature, ...]
    cooling: tuple[CoolingDevice, ...]
    throttling: tuple[str, ...]
    """What slows the processor down now, in words, such as "ARM frequency capped"."""
    throttled_since_boot: tuple[str, ...]
    """What has done so since the machine started, where the firmware remembers that."""
    events: tuple[EventCount, ...]
    """Counters of throttling and of over-current."""
    power_supply: tuple[str, ...]
    """Warnings, such as "under-voltage" or "on battery"."""
    power_mode: str
    """Of a Jetson (nvpmodel), such as "MAXN" or "15W"."""
    clocks_fixed: bool | None
    """Of a Jetson: whether CPU and GPU are kept at one clock, as ``jetson_clocks`` does; None for other machines."""
    gpu_mhz: float | None
    """Clock of the GPU of a Jetson."""
    memory_available_bytes: int | None
    load_average: float | None
    """Of one minute."""
    affinity: str
    """CPUs that the measuring process may run on, such as "0-3"."""
    unknown: tuple[str, ...]
    """Which of all this the system does not report, such as "clock"."""


@dataclass(frozen=True)
class ClockRange:
    """Clocks of a cluster over some time."""

    cpus: str
    low_mhz: float
    high_mhz: float


@dataclass(frozen=True)
class MachineWhile:
    """A machine over some time, from a few looks at it."""

    looks: int
    busy_mhz: tuple[float, ...]
    """At each look the mean clock of as many of the fastest CPUs as there are threads; () where no clock is reported."""
    clocks: tuple[ClockRange, ...]
    hottest: tuple[Temperature, ...]
    """The highest temperature of each zone."""
    throttling: tuple[str, ...]
    """What slowed the processor down at any look."""


@dataclass(frozen=True)
class MachineSpan:
    """A machine before, during and after something that was timed."""

    before: MachineState
    during: MachineWhile
    after: MachineState


@dataclass(frozen=True)
class Energy:
    """Energy of a number of runs; what the machine needs at rest is not subtracted."""

    mj_per_run: float
    mean_watts: float
    runs: int
    seconds: float
    counted: str
    """What was counted, such as "RAPL package-0"."""


@dataclass(frozen=True)
class MachineConditions:
    """The machine that a measurement was taken on, and what changed of it meanwhile."""

    cpu: str
    before: MachineState
    during: MachineWhile
    after: MachineState
    other_cores: float | None
    """Cores that other processes kept busy meanwhile."""
    energy: Energy | None
    energy_unknown: str
    """Why no energy was measured; "" where it was."""
    throttled: tuple[str, ...]
    """What slowed the processor down, at any moment from before to after."""
    changed: tuple[str, ...]
    """Why the conditions were not the same throughout, ``throttled`` among them; () if they were, as far as is known."""


def hottest(temperatures: Sequence[Temperature]) -> Temperature | None:
    """Returns the hottest zone of a processor, by the zones' names; of any other but placeholders where none is named so."""
    real = [each for each in temperatures if each.zone not in _PLACEHOLDERS]
    of_processor = [each for each in real if any(part in each.zone.lower() for part in _OF_PROCESSOR)]
    return max(of_processor or real, key=lambda each: each.celsius, default=None)


def not_stable(unstable: str, machine: MachineConditions | None) -> str:
    """Returns why a latency is not to be relied on, or its conditions changed; "" for neither.

    Args:
        unstable: Why it is not to be relied on, "; " between reasons.
        machine: That it was measured on; None where that was not recorded.
    """
    return "; ".join(dict.fromkeys((*filter(None, unstable.split("; ")), *(machine.changed if machine else ()))))
