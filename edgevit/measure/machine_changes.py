"""Judges what changed of a machine while something was timed on it: what ``edgevit bench --require-stable`` refuses.

A pure judgement of known values, beside that of other work in :mod:`edgevit.measure.conditions`; what is not known is not judged.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgevit.measure.conditions import Disturbance
from edgevit.measure.raspberry_pi import UNDER_VOLTAGE
from edgevit.results.machine_state import Energy, MachineConditions, MachineSpan, MachineState

MOST_CLOCK_DRIFT = 0.05
"""From the lowest to the highest clock during a measurement whose conditions did not change, as a share of the highest."""
MOST_LOAD = 0.5
"""Cores that other processes may keep busy during one."""
_ODD_READINGS = 0.1
"""Share of the readings of a clock, at either end, that do not count."""


def machine_conditions(
    cpu: str, span: MachineSpan, other_cores: float | None, energy: Energy | None, energy_unknown: str = ""
) -> MachineConditions:
    """Returns the machine that a measurement was taken on, with what slowed it down and what changed.

    Args:
        cpu: Name of the processor.
        span: Before, during and after the measurement.
        other_cores: See :attr:`Activity.other_cores`.
        energy: Of the runs.
        energy_unknown: Why there is none.
    """
    throttled = throttling(span)
    changed = list(throttled)
    clocks = clock_range(span.during.busy_mhz)
    if clocks and 1 - clocks[0] / clocks[1] > MOST_CLOCK_DRIFT:
        drift = 100 * (1 - clocks[0] / clocks[1])
        changed.append(f"the clock changed by {drift:.0f} %, {clocks[0]:.0f} to {clocks[1]:.0f} MHz")
    if other_cores is not None and other_cores > MOST_LOAD:
        changed.append(str(Disturbance("other processes", other_cores)))
    changed += settings_changed(span)
    return MachineConditions(
        cpu=cpu,
        before=span.before,
        during=span.during,
        after=span.after,
        other_cores=other_cores,
        energy=energy,
        energy_unknown=energy_unknown,
        throttled=throttled,
        changed=tuple(changed),
    )


def throttling(span: MachineSpan) -> tuple[str, ...]:
    """Returns in words what slowed the processor down from before to after, under-voltage included; () for nothing known."""
    before, after = span.before, span.after
    seen = [*before.throttling, *span.during.throttling, *after.throttling]
    seen += [word for word in (*before.power_supply, *after.power_supply) if word == UNDER_VOLTAGE]
    seen += [word for word in after.throttled_since_boot if word not in before.throttled_since_boot]
    counted = {each.name: each.count for each in before.events}
    rises = ((each.name, each.count - counted.get(each.name, each.count)) for each in after.events)
    return (*dict.fromkeys(seen), *(f"{name}: {rise} more" for name, rise in rises if rise > 0))


def clock_range(mhz: Sequence[float]) -> tuple[float, float] | None:
    """Returns the lowest and the highest of several clocks, without the odd tenth at either end; None where there are none."""
    ordered = sorted(mhz)
    odd = int(_ODD_READINGS * len(ordered))
    kept = ordered[odd : len(ordered) - odd]
    return (kept[0], kept[-1]) if kept and kept[-1] else None


def settings_changed(span: MachineSpan) -> tuple[str, ...]:
    """Returns in words which settings of the machine were others after a measurement than before."""

    def settings(state: MachineState) -> dict[str, str]:
        governors = {f"the governor of CPU {each.cpus}": each.governor for each in state.clusters}
        highest = {f"the highest clock of CPU {each.cpus}": f"{each.max_mhz or 0:.0f} MHz" for each in state.clusters}
        return {**governors, **highest, "the power mode": state.power_mode}

    before, after = settings(span.before), settings(span.after)
    changed = (
        f"{name} changed from {value} to {after[name]}"
        for name, value in before.items()
        if after.get(name, value) != value
    )
    supply = (word for word in span.after.power_supply if word not in (*span.before.power_supply, UNDER_VOLTAGE))
    return (*changed, *supply)
