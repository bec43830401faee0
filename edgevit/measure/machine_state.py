"""Reads the state of a machine at one moment: clocks, temperatures, throttling, power mode, memory, load.

Every reader takes the root of the file system, so that tests can give it another machine's files; commands are run by a
function that can be exchanged. Nothing raises: what cannot be read is unknown. Only Python's own library is used, for this
is carried to boards. What the kernel's files mean: https://docs.kernel.org/admin-guide/pm/cpufreq.html,
https://docs.kernel.org/driver-api/thermal/sysfs-api.html, https://docs.kernel.org/power/power_supply_class.html.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from edgevit.measure import jetson, raspberry_pi
from edgevit.measure.cpuinfo import parse_cpuinfo
from edgevit.measure.raspberry_pi import RunCommand, Throttling, run_command
from edgevit.measure.sysfs import ROOT, matches, number_of, parse_list, show_list, text_of
from edgevit.results.machine_state import UNKNOWN, CoolingDevice, CpuCluster, EventCount, MachineState, Temperature

POLICIES = "sys/devices/system/cpu/cpufreq/policy[0-9]*"
ZONES = "sys/class/thermal/thermal_zone[0-9]*"
COOLING = "sys/class/thermal/cooling_device[0-9]*"
MOST_ZONES = 12
"""That are recorded: a phone has a hundred."""
_THROTTLE_COUNTS = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/{}_throttle_count"
_LIMITS_CLOCKS = ("thermal-cpufreq", "thermal-devfreq", "cpufreq", "processor", "intel_powerclamp")
"""What the types of cooling devices that make something slower begin with; the others are fans."""
_LEAST_CELSIUS, _MOST_CELSIUS = -60.0, 200.0
"""A zone whose sensor is off tells values far outside."""


def read_state(root: Path = ROOT, run: RunCommand = run_command) -> MachineState:
    """Returns the state of the machine now.

    Args:
        root: Of its files.
        run: Runs ``vcgencmd`` on a Raspberry Pi, and ``nvpmodel`` on a Jetson; no command is run on other machines.
    """
    on_pi, on_jetson = raspberry_pi.is_raspberry_pi(root), jetson.is_jetson(root)
    firmware = raspberry_pi.read_throttling(root, run) if on_pi else None
    firmware_mhz = raspberry_pi.arm_clock_mhz(run) if on_pi else None
    clusters, temperatures, cooling = read_clusters(root), read_temperatures(root), read_cooling(root)
    kernel_mhz = max((each.mhz for each in clusters if each.mhz), default=None)
    events = (*throttle_counts(root), *jetson.over_current_events(root))
    told = firmware or Throttling((), ())
    slowed = (*told.now, *limits(cooling), *raspberry_pi.lowered_clock(firmware_mhz, kernel_mhz))
    memory, load = available_bytes(root), load_average(root)
    affinity = show_list(allowed_cpus(root)) or UNKNOWN
    known = {
        "clock": kernel_mhz,
        "temperature": temperatures,
        "throttling": firmware or events or _limiting(cooling),
        "memory": memory,
        "load": load is not None,
        "affinity": affinity != UNKNOWN,
    }
    return MachineState(
        clusters=clusters,
        temperatures=temperatures,
        cooling=cooling,
        throttling=tuple(word for word in slowed if word != raspberry_pi.UNDER_VOLTAGE),
        throttled_since_boot=told.since_boot,
        events=events,
        power_supply=power_supply(root, told),
        power_mode=jetson.power_mode(root, run) if on_jetson else UNKNOWN,
        clocks_fixed=jetson.clocks_fixed(root) if on_jetson else None,
        gpu_mhz=jetson.gpu_mhz(root) if on_jetson else None,
        memory_available_bytes=memory,
        load_average=load,
        affinity=affinity,
        unknown=tuple(name for name, value in known.items() if not value),
    )


def cpu_name(root: Path = ROOT) -> str:
    """Returns the name of the processor, with that of the board where it has one; "unknown" where neither is told."""
    name, _ = parse_cpuinfo(text_of(root / "proc/cpuinfo"))
    board = text_of(root / "proc/device-tree/model")
    return (f"{name} ({board})".strip() if board and board not in name else name) or UNKNOWN


def read_clusters(root: Path) -> tuple[CpuCluster, ...]:
    """Returns the CPUs by their kind: policies of ``cpufreq`` with the same governor and the same limits are one cluster."""
    groups: defaultdict[tuple[str, float | None, float | None, float | None], list[Path]] = defaultdict(list)
    for policy in matches(root, POLICIES):
        limits_mhz = (_mhz(policy / f"{name}_freq") for name in ("scaling_min", "scaling_max", "cpuinfo_max"))
        low, high, hardware = limits_mhz
        groups[text_of(policy / "scaling_governor") or UNKNOWN, low, high, hardware].append(policy)
    return tuple(
        CpuCluster(
            cpus=show_list(number for policy in policies for number in cpus_of(policy)),
            governor=governor,
            mhz=max((mhz for policy in policies if (mhz := _mhz(policy / "scaling_cur_freq"))), default=None),
            min_mhz=low,
            max_mhz=high,
            hardware_max_mhz=hardware,
        )
        for (governor, low, high, hardware), policies in groups.items()
    )


def cpus_of(policy: Path) -> frozenset[int]:
    """Returns the CPUs of a policy of ``cpufreq``."""
    return parse_list(text_of(policy / "affected_cpus")) or parse_list(policy.name.removeprefix("policy"))


def allowed_cpus(root: Path) -> frozenset[int]:
    """Returns the CPUs that this process may run on; none where that is not told."""
    found = re.search(r"^Cpus_allowed_list:\s*(\S+)", text_of(root / "proc/self/status"), re.MULTILINE)
    return parse_list(found[1]) if found else frozenset()


def read_temperatures(root: Path) -> tuple[Temperature, ...]:
    """Returns the temperatures of the hottest thermal zones, see :func:`hottest_zones`."""
    zones = ((text_of(zone / "type"), _celsius(zone)) for zone in hottest_zones(root))
    return tuple(Temperature(kind or UNKNOWN, celsius) for kind, celsius in zones if celsius is not None)


def hottest_zones(root: Path) -> list[Path]:
    """Returns the folders of the thermal zones that tell a temperature, in their order; of many the ``MOST_ZONES`` hottest."""
    told = {zone: celsius for zone in matches(root, ZONES) if (celsius := _celsius(zone)) is not None}
    hottest = sorted(told, key=lambda zone: -told[zone])[:MOST_ZONES]
    return [zone for zone in told if zone in hottest]


def sane_celsius(millidegrees: int) -> float | None:
    """Returns a temperature in degrees; None for one that no machine has, which is what sensors tell that are off."""
    celsius = millidegrees / 1000
    return celsius if _LEAST_CELSIUS <= celsius <= _MOST_CELSIUS else None


def read_cooling(root: Path) -> tuple[CoolingDevice, ...]:
    """Returns fans and limits that the thermal governor may set."""
    found = (
        (text_of(device / "type"), number_of(device / "cur_state"), number_of(device / "max_state"))
        for device in matches(root, COOLING)
    )
    return tuple(
        CoolingDevice(kind, state, most)
        for kind, state, most in found
        if kind and state is not None and most is not None
    )


def limits(cooling: tuple[CoolingDevice, ...]) -> tuple[str, ...]:
    """Returns in words the cooling devices that make something slower now."""
    return tuple(
        f"thermal limit by {each.kind}, {each.state} of {each.most}" for each in _limiting(cooling) if each.state > 0
    )


def throttle_counts(root: Path) -> tuple[EventCount, ...]:
    """Returns how often an x86 processor has throttled for its temperature: of all cores, and of its packages."""
    found = []
    for part, total in (("core", sum), ("package", max)):
        paths = matches(root, _THROTTLE_COUNTS.format(part))
        counts = [count for path in paths if (count := number_of(path)) is not None]
        if counts:
            found.append(EventCount(f"{part} thermal throttling", total(counts)))
    return tuple(found)


def power_supply(root: Path, firmware: Throttling) -> tuple[str, ...]:
    """Returns warnings of the power supply: under-voltage now or since the start, or running on battery.

    Args:
        root: Of the machine.
        firmware: What a Raspberry Pi's firmware tells.
    """
    low = raspberry_pi.UNDER_VOLTAGE
    found = []
    if low in firmware.now or raspberry_pi.has_under_voltage(root):
        found.append(low)
    elif low in firmware.since_boot:
        found.append(f"{low} since the machine started")
    for supply in matches(root, "sys/class/power_supply/*"):
        of_machine = text_of(supply / "scope") != "Device"  # that is a mouse's
        if of_machine and text_of(supply / "type") == "Battery" and text_of(supply / "status") == "Discharging":
            found.append("on battery")
    return tuple(dict.fromkeys(found))


def available_bytes(root: Path) -> int | None:
    """Returns the memory that programs can still take, in bytes; None where it is not told."""
    found = re.search(r"^MemAvailable:\s+([0-9]+) kB", text_of(root / "proc/meminfo"), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def load_average(root: Path) -> float | None:
    """Returns the load average of one minute; None where it is not told."""
    found = re.match(r"[0-9]+\.[0-9]+", text_of(root / "proc/loadavg"))
    return float(found[0]) if found else None


def _limiting(cooling: tuple[CoolingDevice, ...]) -> tuple[CoolingDevice, ...]:
    return tuple(each for each in cooling if each.kind.lower().startswith(_LIMITS_CLOCKS))


def _celsius(zone: Path) -> float | None:
    millidegrees = number_of(zone / "temp")
    return None if millidegrees is None else sane_celsius(millidegrees)


def _mhz(path: Path) -> float | None:
    khz = number_of(path)
    return khz / 1000 if khz else None
