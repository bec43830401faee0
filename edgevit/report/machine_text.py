"""The conditions of a measurement, in a few words."""

from __future__ import annotations

from collections.abc import Iterator

from edgevit import units
from edgevit.results.machine_state import UNKNOWN, CpuCluster, Energy, MachineConditions, MachineState, hottest


def machine_text(machine: MachineConditions) -> str:
    """Returns the state of the machine during a measurement, such as "governor schedutil, 1500 MHz, 48 to 61 °C (cpu-thermal)"."""
    return ", ".join(_parts(machine))


def energy_text(machine: MachineConditions) -> str:
    """Returns the energy of one run and what was counted, or why it was not measured."""
    if machine.energy is None:
        return f"not measured: {machine.energy_unknown}"
    return f"{millijoules(machine.energy)}, {machine.energy.mean_watts:.1f} W ({machine.energy.counted}, rest included)"


def millijoules(energy: Energy | None) -> str:
    """Returns the energy of one run, such as "12.3 mJ"; "–" where it was not measured."""
    return "–" if energy is None else f"{energy.mj_per_run:.3g} mJ"


def clock_text(machine: MachineConditions) -> str:
    """Returns the clock of the CPUs that computed, such as "1400 to 1500 MHz"; "–" where it is not reported."""
    busy = machine.during.busy_mhz
    return _range(min(busy), max(busy), "MHz") if busy else "–"


def temperature_text(machine: MachineConditions) -> str:
    """Returns the temperature of the zone that got hottest, before and at its highest; "–" where none is reported."""
    found = hottest(machine.during.hottest or machine.after.temperatures)
    if found is None:
        return "–"
    before = [each.celsius for each in machine.before.temperatures if each.zone == found.zone]
    return f"{_range(max(before, default=found.celsius), found.celsius, '°C')} ({found.zone})"


def state_rows(state: MachineState) -> tuple[tuple[str, str], ...]:
    """Returns a name and a text each of what can be told of a machine: clock, temperature, throttling, power; or that it is not."""
    highest = [f"CPUs {each.cpus}: {each.governor}, {_limits(each)}" for each in state.clusters]
    warmest = hottest(state.temperatures)
    throttled = "; ".join(state.throttling) or "none now"
    since = f"; since the start: {', '.join(state.throttled_since_boot)}" if state.throttled_since_boot else ""
    power_mode = f"power mode {state.power_mode}" if state.power_mode != UNKNOWN else ""
    fixed = {True: "clocks fixed", False: "clocks not fixed", None: ""}[state.clocks_fixed]
    rows = {
        "clock": "; ".join(highest),
        "temperature": f"{warmest.celsius:.0f} °C ({warmest.zone})" if warmest else "",
        "throttling": "" if "throttling" in state.unknown else throttled + since,
        "power": "; ".join(filter(None, (power_mode, fixed, *state.power_supply))),
    }
    silent = {"power": "no warning of the power supply"}
    return tuple((name, text or silent.get(name, "not reported by this system")) for name, text in rows.items())


def _limits(cluster: CpuCluster) -> str:
    limits = [f"{mhz:.0f}" for mhz in (cluster.min_mhz, cluster.max_mhz) if mhz]
    return f"{' to '.join(limits)} MHz" if limits else "limits not reported"


def _parts(machine: MachineConditions) -> Iterator[str]:
    state: MachineState = machine.before
    governors = dict.fromkeys(each.governor for each in state.clusters if each.governor != UNKNOWN)
    if governors:
        yield f"governor {' and '.join(governors)}"
    if machine.during.busy_mhz:
        yield clock_text(machine)
    if machine.during.hottest or machine.after.temperatures:
        yield temperature_text(machine)
    if state.power_mode != UNKNOWN:
        yield f"power mode {state.power_mode}"
    if state.clocks_fixed is not None:
        yield "clocks fixed" if state.clocks_fixed else "clocks not fixed"
    if machine.after.gpu_mhz is not None:
        yield f"GPU {machine.after.gpu_mhz:.0f} MHz"
    if state.memory_available_bytes is not None:
        yield f"{units.size(state.memory_available_bytes)} available"
    if state.affinity != UNKNOWN:
        yield f"CPUs {state.affinity}"
    if machine.throttled:
        yield f"throttled ({'; '.join(machine.throttled)})"
    elif "throttling" not in machine.after.unknown:
        yield "not throttled"
    yield from machine.after.power_supply


def _range(low: float, high: float, unit: str) -> str:
    first, last = f"{low:.0f}", f"{high:.0f}"
    return f"{last} {unit}" if first == last else f"{first} to {last} {unit}"
