"""What changed of a machine: a pure judgement of known values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgevit.measure.machine_changes import (
    MOST_CLOCK_DRIFT,
    clock_range,
    machine_conditions,
    settings_changed,
    throttling,
)
from edgevit.results.machine_state import EventCount, MachineSpan, MachineState, MachineWhile
from tests.factories import make_machine_state, make_machine_while

STATE = make_machine_state()
QUIET = MachineSpan(STATE, make_machine_while(), STATE)


def changed(span: MachineSpan = QUIET, other_cores: float | None = 0.1) -> tuple[str, ...]:
    return machine_conditions("cpu", span, other_cores, None, "why").changed


def test_a_machine_that_stays_as_it_is() -> None:
    found = machine_conditions("Cortex-A72", QUIET, 0.5, None, "nothing counts")
    assert (found.changed, found.throttled, found.cpu, found.energy_unknown) == ((), (), "Cortex-A72", "nothing counts")


@pytest.mark.parametrize(
    ("mhz", "reasons"),
    [
        ((1500.0, 1430.0, 1500.0), ()),
        ((1500.0, 1420.0, 1500.0), ("the clock changed by 5 %, 1420 to 1500 MHz",)),
        ((600.0,), ()),
        ((), ()),
        ((1500.0,) * 9 + (600.0,), ()),
        ((1500.0,) * 8 + (600.0,) * 2, ("the clock changed by 60 %, 600 to 1500 MHz",)),
    ],
)
def test_a_clock_may_change_by_a_twentieth(mhz: tuple[float, ...], reasons: tuple[str, ...]) -> None:
    assert changed(replace(QUIET, during=make_machine_while(busy_mhz=mhz))) == reasons


@given(st.lists(st.floats(100.0, 6000.0), min_size=1, max_size=40))
def test_the_range_lies_within_the_readings(mhz: list[float]) -> None:
    found = clock_range(mhz)
    assert found is not None
    assert min(mhz) <= found[0] <= found[1] <= max(mhz)
    assert clock_range(mhz[::-1]) == found


@given(st.floats(500.0, 5000.0), st.floats(0.0, MOST_CLOCK_DRIFT - 0.001), st.integers(1, 40))
def test_a_small_drift_is_none(mhz: float, drift: float, count: int) -> None:
    readings = tuple(mhz * (1 - drift * place / count) for place in range(count))
    assert changed(replace(QUIET, during=make_machine_while(busy_mhz=readings))) == ()


def test_other_processes_may_use_half_a_core() -> None:
    assert changed(other_cores=0.5) == changed(other_cores=None) == ()
    assert changed(other_cores=0.6) == ("other processes used 0.6 cores",)


def state(**changes: object) -> MachineState:
    return replace(STATE, **changes)


@pytest.mark.parametrize(
    ("before", "during", "after", "words"),
    [
        ({"throttling": ("throttled",)}, {}, {}, ("throttled",)),
        ({}, {"throttling": ("under-voltage",)}, {}, ("under-voltage",)),
        ({}, {}, {"throttling": ("throttled",), "throttled_since_boot": ("throttled",)}, ("throttled",)),
        ({}, {}, {"throttled_since_boot": ("ARM frequency capped",)}, ("ARM frequency capped",)),
        ({"throttled_since_boot": ("throttled",)}, {}, {"throttled_since_boot": ("throttled",)}, ()),
        ({"power_supply": ("under-voltage",)}, {}, {}, ("under-voltage",)),
        ({"power_supply": ("under-voltage since the machine started",)}, {}, {}, ()),
        ({"events": (EventCount("core throttling", 5),)}, {}, {"events": (EventCount("core throttling", 5),)}, ()),
        (
            {"events": (EventCount("core throttling", 5),)}, {}, {"events": (EventCount("core throttling", 8),)},
            ("core throttling: 3 more",),
        ),
        ({}, {}, {"events": (EventCount("core throttling", 8),)}, ()),
    ],
)  # fmt: skip
def test_what_slowed_it_down(
    before: dict[str, object], during: dict[str, object], after: dict[str, object], words: tuple[str, ...]
) -> None:
    span = MachineSpan(state(**before), make_machine_while(**during), state(**after))
    assert throttling(span) == words
    assert set(words) <= set(changed(span))


def test_settings_that_were_changed_meanwhile() -> None:
    (cluster,) = STATE.clusters
    other = replace(cluster, governor="powersave", max_mhz=1000.0)
    after = state(clusters=(other,), power_mode="5W", power_supply=("on battery",))
    assert settings_changed(replace(QUIET, after=after)) == (
        "the governor of CPU 0-3 changed from ondemand to powersave",
        "the highest clock of CPU 0-3 changed from 1500 MHz to 1000 MHz",
        "the power mode changed from unknown to 5W",
        "on battery",
    )


def test_a_supply_that_warned_before_is_no_change() -> None:
    on_battery = state(power_supply=("on battery",))
    assert settings_changed(MachineSpan(on_battery, make_machine_while(), on_battery)) == ()


def test_a_machine_that_tells_nothing_has_not_changed() -> None:
    nothing = MachineState((), (), (), (), (), (), (), "unknown", None, None, None, None, "unknown", ("clock",))
    assert changed(MachineSpan(nothing, MachineWhile(2, (), (), (), ()), nothing), None) == ()
